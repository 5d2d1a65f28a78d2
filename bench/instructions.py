#!/usr/bin/env python3
"""Instructions that CPU kernels take on one thread, beside what they took before.

usage: instructions.py --bin FOLDER [--update] [--rows REGEX] [--baseline FILE]

Wall time is noise on a shared machine; the number of instructions is the same on every run.
Valgrind's callgrind counts them inside call_counted() of bench/measure.cpp, on the processor that
valgrind shows to programs (AVX2 whatever the machine has beyond it), so that oneDNN and the C
library choose the same code everywhere. Another compiler or library makes other counts: then the
test says SKIPPED, as it does where valgrind or AVX2 is missing. --update writes the baseline anew.
Exit code 1 if a row takes more than 3 % more than the baseline says.
"""

import argparse
import json
import platform
import re
import shutil
import sys
import tempfile
from pathlib import Path

from processes import run

HERE = Path(__file__).resolve().parent
TOLERANCE = 0.03
COUNTED = "drape::bench::call_counted(drape::bench::Work&)"
ROWS = (
    "max_pool2d/forward/4 of [64,28,28,32]",
    "max_pool2d/backward/4 of [64,28,28,32]",
    "batch_norm, relu/forward/4 of [64,28,28,32]",
    "batch_norm, relu/backward/4 of [64,28,28,32]",
    "linear, relu/forward/4 of n64_c3136_k128",
    "linear, relu/backward/4 of n64_c3136_k128",
    "conv2d, relu/forward/4 of n64_c32_k64_14x14",  # Winograd
    "conv2d, relu/backward/4 of n64_c32_k64_14x14",
    "conv2d, one channel/forward/4 of n64_c1_k32_28x28",
    "conv2d, one channel/backward/4 of n64_c1_k32_28x28",
    "conv2d, dilated by ten/forward/4 of n64_c32_k64_14x14",
    "conv2d, dilated by ten/backward/4 of n64_c32_k64_14x14",
    "deform_conv2d/forward/4 of n32_c32_k64_14x14",
    "deform_conv2d/backward/4 of n32_c32_k64_14x14",
    "softmax_cross_entropy/forward/[4096,10]",
    "adam_step/[421642]",
    "gather_batch, mixed/n64_28x28",
)


def output_of(*command):
    done = run(command, capture_output=True)
    if done.returncode != 0:
        said = f"{' '.join(done.args)}\n{done.stderr}"
        sys.exit(f"instructions: exit code {done.returncode} of {said}")
    return done.stdout


def obstacle():
    """Why nothing can be counted here; "" if it can."""
    if shutil.which("valgrind") is None:
        return "valgrind is not here"
    cpu = Path("/proc/cpuinfo")
    if not cpu.exists() or not re.search(r"^flags\s*:.*\bavx2\b", cpu.read_text(), re.MULTILINE):
        return "this processor has no AVX2"
    return ""


def toolchain(program):
    """What the counts depend on besides the source."""
    c_library = " ".join(platform.libc_ver(str(shutil.which("sh"))))
    built_with, valgrind = output_of(program, "--toolchain"), output_of("valgrind", "--version")
    return f"{built_with.strip()}, {valgrind.strip()}, {c_library}"


def count(program, rows):
    """{row: instructions}: callgrind writes a file whenever the counted function is left."""
    names = "|".join(re.sub(r"([^\w, ])", r"\\\1", row) for row in rows)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "counts"
        options = ["--collect-atstart=no", f"--toggle-collect={COUNTED}", f"--dump-after={COUNTED}"]
        done = output_of(
            "valgrind",
            "--tool=callgrind",
            f"--callgrind-out-file={out}",
            *options,
            program,
            *("--once", "--threads=1", "--most-examples=4", f"--filter=^({names})$"),
        ).splitlines()
        totals = [
            int(re.search(r"^totals: (\d+)", Path(f"{out}.{i}").read_text(), re.MULTILINE)[1])
            for i in range(1, len(done) + 1)
        ]
    if sorted(done) != sorted(rows) or not all(totals):
        sys.exit(f"instructions: expected a count of each of {rows}, got {dict(zip(done, totals))}")
    return dict(zip(done, totals))


def compare(counts, baseline):
    """Prints every row; whether one takes more than is tolerated."""
    failed = stale = False
    for row, now in counts.items():
        before = baseline[row]
        change = now / before - 1
        failed |= change > TOLERANCE
        stale |= change < -TOLERANCE
        word = "MORE" if change > TOLERANCE else "fewer" if change < -TOLERANCE else ""
        print(f"{row:52} {before:>13,} -> {now:>13,} {100 * change:+7.2f} %  {word}".rstrip())
    if failed or stale:
        print("if that is meant: ./run bench instructions --update")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, required=True, help="folder of the built programs")
    parser.add_argument("--update", action="store_true", help="write the baseline anew")
    parser.add_argument("--rows", default="", help="regular expression: only these")
    parser.add_argument("--baseline", type=Path, default=HERE / "instructions.json")
    arguments = parser.parse_args()

    if why := obstacle():
        print(f"SKIPPED: {why}")
        return 1 if arguments.update else 0
    program = arguments.bin / "bench_kernels"
    here = toolchain(program)
    rows = [row for row in ROWS if re.search(arguments.rows, row)]
    if arguments.update:
        text = json.dumps({"toolchain": here, "instructions": count(program, rows)}, indent=1)
        arguments.baseline.write_text(text + "\n", encoding="utf-8")
        return 0
    baseline = json.loads(arguments.baseline.read_text(encoding="utf-8"))
    if baseline["toolchain"] != here:
        print(f"SKIPPED: the baseline is of {baseline['toolchain']}; this is {here}")
        return 0
    return 1 if compare(count(program, rows), baseline["instructions"]) else 0


if __name__ == "__main__":
    sys.exit(main())
