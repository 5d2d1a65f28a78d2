#!/usr/bin/env python3
"""What can be proved of CUDA kernels without a GPU: occupancy, and the instructions that they use.

usage: kernel_evidence.py BUILD_FOLDER [--cuobjdump PATH] [--out FILE.md] [FILE.cu ...]

Prints a table in Markdown, by default of deformable convolution. What it shows: EXPLANATION below.

cuobjdump disassembles it with nvdisasm, which must lie beside it or on PATH. (NVIDIA's toolkit has
both; so has Python's triton, in backends/nvidia/bin.)
"""

import argparse
import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from kernel_resources import assembler_output, entries, resources

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))
from markdown import table  # noqa: E402

EXPLANATION = """\
Kernels that say how many threads a block has: all but loops over elements. Warps are those that an
SM holds at once (registers, static shared memory and threads of a block allow it) out of the 64
that it could; a launch that asks for dynamic shared memory holds fewer. Products on tensor cores
(HMMA, HGMMA), loads and stores of 128 bits, and accesses of local memory (LDL, STL: registers that
are spilled) are counted in the machine code.
"""
FLAGSHIP = ("deform_conv2d.cu", "deform_conv2d_points.cu", "deform_conv2d_weight.cu")
WARPS, BLOCKS, REGISTERS = 64, 32, 65536  # of an SM; CUDA C++ Programming Guide, "Compute
SHARED = {"sm_80": 164 << 10, "sm_90": 228 << 10}  # Capabilities": technical specifications
RESERVED = 1024  # bytes of shared memory of every block
INSTRUCTIONS = {
    "tensor cores": r"HG?MMA",
    "128-bit loads": r"(?:LDG|LDGSTS|LDS)\.(?:\w+\.)*128",
    "128-bit stores": r"(?:STG|STS)\.(?:\w+\.)*128",
    "local memory": r"LDL|STL",
}


def round_up(value, step):
    return -(-value // step) * step


def warps_resident(architecture, registers, shared, threads):
    """Warps of an SM that are busy when blocks of so many threads fill it."""
    warps = -(-threads // 32)
    # Registers go to warps by 256, and to four schedulers: the same number of warps each.
    by_registers = REGISTERS // round_up(32 * registers, 256) // 4 * 4 // warps
    by_shared = SHARED[architecture] // round_up(shared + RESERVED, 128)
    return warps * min(BLOCKS, WARPS // warps, by_registers, by_shared)


def machine_code(cuobjdump, option, fatbin):
    path = os.pathsep.join((str(cuobjdump.parent), os.environ["PATH"]))
    done = subprocess.run(
        [cuobjdump, option, fatbin],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path},
    )
    if done.returncode != 0 or not done.stdout:
        sys.exit(f"kernel_evidence: {cuobjdump} {option}: {done.stderr or 'no output'}")
    return done.stdout


def sections(text, function):
    """((architecture, kernel), text) of what cuobjdump lists; `function` finds a kernel's name."""
    for part in re.split(r"^Fatbin elf code:", text, flags=re.MULTILINE)[1:]:
        architecture = re.search(r"^arch = (\w+)", part, re.MULTILINE)[1]
        found = list(re.finditer(function, part, re.MULTILINE))
        ends = [each.start() for each in found[1:]] + [len(part)]
        for each, end in zip(found, ends):
            yield (architecture, each[1]), part[each.start() : end]


def instructions(sass):
    counts = collections.Counter(
        name
        for opcode in re.findall(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+ )?([A-Z][\w.]*)", sass)
        for name, pattern in INSTRUCTIONS.items()
        if re.match(pattern, opcode)
    )
    return {name: counts[name] for name in INSTRUCTIONS}


def evidence(entry, cuobjdump):
    """Rows of a file: kernel, architecture, registers, shared bytes, threads, warps, counts."""
    with tempfile.TemporaryDirectory() as folder:
        fatbin = Path(folder) / "kernels.fatbin"
        report = assembler_output(entry, fatbin)
        code = dict(sections(machine_code(cuobjdump, "-sass", fatbin), r"^\s+Function : (\w+)"))
        info = dict(sections(machine_code(cuobjdump, "-elf", fatbin), r"^\.nv\.info\.(\w+)"))
    for kernel in resources(report):
        key = kernel.architecture, kernel.symbol
        most = re.search(r"EIATTR_MAX_THREADS\s+Format:.*\s+Value:\s+0x([0-9a-f]+)", info[key])
        if most is None:
            continue  # a loop over elements
        threads = int(most[1], 16)
        warps = warps_resident(kernel.architecture, kernel.registers, kernel.shared, threads)
        yield kernel, threads, warps, instructions(code[key])


def found_cuobjdump(given):
    cuobjdump = given or shutil.which("cuobjdump")
    if cuobjdump is None:
        sys.exit("kernel_evidence: no cuobjdump on PATH; --cuobjdump PATH names one")
    return Path(cuobjdump)


def markdown(rows, command, commit):
    head = ["kernel", "for", "registers", "static shared bytes", "threads of a block"]
    head += ["warps of 64", *INSTRUCTIONS]
    lines = ["# What can be proved of the kernels without a GPU", ""]
    lines += [f"`{command}`, commit {commit}.", "", *EXPLANATION.splitlines(), ""]
    cells = []
    for kernel, threads, warps, counts in rows:
        of_compiler = f"`{kernel.name}`", kernel.architecture, kernel.registers, kernel.shared
        cells.append((*of_compiler, threads, warps, *counts.values()))
    return "\n".join(lines + table(head, cells)) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build_folder", type=Path)
    parser.add_argument("files", nargs="*", default=FLAGSHIP, metavar="FILE.cu")
    parser.add_argument("--cuobjdump", type=Path, help="default: the one on PATH")
    parser.add_argument("--out", type=Path, metavar="FILE.md")
    arguments = parser.parse_intermixed_args()
    cuobjdump = found_cuobjdump(arguments.cuobjdump)
    wanted = {Path(file).name for file in arguments.files}
    rows = []
    for entry in entries(arguments.build_folder, wanted):
        rows += evidence(entry, cuobjdump)
    rows.sort(key=lambda row: row[0])
    describe = ["git", "-C", ROOT, "describe", "--always", "--dirty"]
    commit = subprocess.run(describe, capture_output=True, text=True).stdout.strip() or "unknown"
    command = " ".join(["tests/tools/kernel_evidence.py build/release", *arguments.files])
    page = markdown(rows, command, commit)
    if arguments.out:
        arguments.out.write_text(page, encoding="utf-8")
    print(page)
    return 0 if rows else 1


if __name__ == "__main__":
    sys.exit(main())
