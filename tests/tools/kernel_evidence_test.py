"""kernel_evidence.py's arithmetic, and that it says what it lacks.

usage: kernel_evidence_test.py
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import kernel_evidence

SASS = """
        /*0070*/                   LDG.E.128.CONSTANT R4, [R2.64] ;
        /*0080*/              @!P0 LDG.E R8, [R2.64+0x10] ;
        /*0090*/                   HMMA.16816.F32.BF16 R4, R8, R10, R4 ;
        /*00a0*/               @P1 STG.E.128 [R2.64], R4 ;
        /*00b0*/                   STL [R1], R4 ;
"""


def main():
    # As CUDA's occupancy calculator has it.
    for architecture, registers, shared, threads, warps in (
        ("sm_80", 32, 0, 256, 64),
        ("sm_80", 128, 22016, 256, 16),  # by registers
        ("sm_80", 72, 18432, 256, 24),
        ("sm_80", 32, 48 << 10, 256, 24),  # by shared memory
        ("sm_90", 32, 48 << 10, 256, 32),
        ("sm_80", 16, 0, 32, 32),  # by the number of blocks
    ):
        found = kernel_evidence.warps_resident(architecture, registers, shared, threads)
        assert found == warps, (architecture, registers, shared, threads, found)

    counts = kernel_evidence.instructions(SASS)
    assert counts == {
        "tensor cores": 1,
        "128-bit loads": 1,
        "128-bit stores": 1,
        "local memory": 1,
    }, counts

    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, Path(kernel_evidence.__file__), folder],
            capture_output=True,
            text=True,
            env={**os.environ, "PATH": folder},
        )
    assert done.returncode == 1 and "no cuobjdump on PATH" in done.stderr, done


if __name__ == "__main__":
    main()
