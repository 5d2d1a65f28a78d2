#!/usr/bin/env python3
"""Breaks the CUDA kernels one place at a time: how many broken kernels make a test fail?

usage: mutate_kernels.py BUILD... [--count N] [--seed S] [--share K/N] [--only TEXT]

BUILD are build folders with emulated kernels (cmake -DDRAPE_CUDA=EMULATED, or beside those by nvcc
-DDRAPE_RACE=ON), tried in this order until one notices: plain, its threads first in order and
then in reverse, -DDRAPE_SANITIZE=address,undefined, races. At first all must pass unbroken; a
mutant that takes three times as long hangs. What nvcc alone compiles is left out.
Prints a line per mutant, and the share that was noticed. Sources are put back, also after Ctrl-C.
--share 1/2 and 2/2, in two checkouts, are one check in half the time; --skip N goes on behind place
N of the list, where a check of the same sources was broken off.
"""

import argparse
import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD_SECONDS = 900
# (order of threads, tests), the quick ones first. Whole training steps have no kernels of their
# own: once is enough.
ALL_TESTS = (
    ("forward", "every op*"),
    ("forward", "~every op*"),
    ("reverse", "~[steps]~[training]"),
)
ALL_BUT_STEPS = (("forward", "every op*"), ("forward", "~[steps]~[training]~every op*"))

# What is replaced by what, and where it may stand: inside device code, never in types or comments.
MUTATIONS = [
    (r" \+ ", " - "),
    (r" - ", " + "),
    (r" \* ", " + "),
    (r" / (?!/)", " * "),
    (r" % ", " / "),
    (r" < ", " <= "),
    (r" <= ", " < "),
    (r" > ", " >= "),
    (r" >= ", " > "),
    (r" == ", " != "),
    (r" != ", " == "),
    (r" && ", " || "),
    (r" \|\| ", " && "),
    (r" \+= ", " = "),
    (r" \+= ", " -= "),
    (r"__syncthreads\(\);", ";"),
    (r"__syncwarp\(\);", ";"),
    (r"threadIdx\.x", "threadIdx.y"),
    (r"\? T\(0\) :", "? T(1) :"),
    (r"T\(1\)", "T(2)"),
    (r"\[(\w+)\]", r"[\1 + 1]"),
    (r" 32\b", " 16"),
]
HOST_FILES = (
    "conv2d_cudnn.cu",
    "device.cu",
    "gemm.cu",
    "linear.cu",
    "memory.cu",
    "vendor_library.cu",
)
# Lines that decide nothing on the device, or only how fast it is.
HOST = re.compile(
    r"#include|^\s*//|template|static_assert|throw|Error|check\(|check_cuda|constexpr int k|"
    r"blocks_for|launch\(|dim3|std::clamp|kMost|workspace|Workspace|namespace|using |"
    r"count_of|__launch_bounds__|DeviceBuffer|_kernel<|known|proposals|handle|DRAPE_UNROLL|"
    r"DRAPE_BLOCKS|kPointBlocks|kSumThreads|constexpr std::int64_t kBlocks|tensor_cores|"
    r"bool summed|int64_t across|kFewChannels|kWithoutAsking|few_channels\(\) const|kStageBytes,|"
    r"DRAPE_SHARED|std::max\(8,|kSumLanes = |__CUDA_ARCH__|int part_count = |extents\.data"
)
# An array with room for one more is the same.
ARRAY = re.compile(
    r"^\s*(?!return )(?:const |static )*[\w:]+(?:<[\w, ]+>)? "
    r"\w+(?:\[\w+\])*(?: = \{\})?(?:, \w+(?:\[\w+\])*(?: = \{\})?)*;"
)
# a < b ? b : a is the same with <=.
SAME_EITHER_WAY = re.compile(r"(\w+) ([<>])=? ([\w.()]+) \? \3 : \1\b")


def candidates(only):
    """Every (file, line number, changed line)."""
    found = []
    for path in sorted((ROOT / "kernels").glob("*.cu*")):
        if only not in path.name or path.name in HOST_FILES:
            continue
        for_nvcc = False
        for number, line in enumerate(path.read_text().split("\n")):
            if line.startswith("#if defined(__CUDACC__)"):
                for_nvcc = True
            elif line.startswith(("#else", "#endif")):
                for_nvcc = False
            if for_nvcc or HOST.search(line) or ARRAY.search(line):
                continue
            code = line.split("//")[0]
            for pattern, replacement in MUTATIONS:
                for match in re.finditer(pattern, code):
                    changed = (
                        code[: match.start()] + match.expand(replacement) + code[match.end() :]
                    )
                    if not SAME_EITHER_WAY.search(changed):
                        found.append((path, number, changed))
    return found


class Tests:
    """The tests of a build, in groups."""

    def __init__(self, build, groups):
        self.build, self.groups = build, groups
        races = "DRAPE_RACE:BOOL=ON" in (Path(build) / "CMakeCache.txt").read_text()
        self.target = "drape_race_tests" if races else "drape_cuda_tests"
        self.most_seconds = None
        began = time.monotonic()
        if verdict := self.verdict():
            sys.exit(f"{build}: the unbroken kernels: {verdict}")
        self.most_seconds = 60 + 3 * (time.monotonic() - began)

    def verdict(self):
        """How they notice what is broken: "" if they do not."""
        make = ["cmake", "--build", self.build, "--target", self.target]
        if subprocess.run(make, capture_output=True, timeout=BUILD_SECONDS).returncode != 0:
            return "does not compile"
        program = [str(Path(self.build) / "bin" / self.target), "--abort"]
        try:
            for order, group in self.groups:
                ran = subprocess.run(
                    program + [group],
                    capture_output=True,
                    timeout=self.most_seconds,
                    env=os.environ | {"DRAPE_EMULATOR_ORDER": order},
                )
                if ran.returncode != 0 or b"emulator:" in ran.stdout + ran.stderr:
                    return "noticed"
        except subprocess.TimeoutExpired:
            return "hangs"
        return ""


def verdict_on(path, number, changed, tests):
    """(the line as it was, how the tests of the builds notice the change: "" if they do not)"""
    source = path.read_text()
    lines = source.split("\n")
    before, lines[number] = lines[number], changed
    try:
        path.write_text("\n".join(lines))
        return before, next(filter(None, (of_build.verdict() for of_build in tests)), "")
    finally:
        path.write_text(source)


def places(arguments):
    """(place in the shuffled list, candidate) of this share, behind those to skip."""
    everything = candidates(arguments.only)
    random.Random(arguments.seed).shuffle(everything)
    share, shares = arguments.share
    mine = list(enumerate(everything, start=1))[share - 1 :: shares]
    return [entry for entry in mine if entry[0] > arguments.skip]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("builds", nargs="+", metavar="BUILD")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", metavar="K/N", default="1/1", help="every Nth, from the Kth on")
    parser.add_argument("--skip", type=int, default=0, help="places of the list")
    parser.add_argument("--only", default="", help="part of a file's name")
    arguments = parser.parse_args()
    arguments.share = tuple(map(int, arguments.share.split("/")))
    return arguments


def main():
    arguments = parse_arguments()
    tests = [
        Tests(build, ALL_BUT_STEPS if i else ALL_TESTS) for i, build in enumerate(arguments.builds)
    ]
    wanted = -(-arguments.count // arguments.share[1])
    counted = killed = 0
    for place, (path, number, changed) in places(arguments):
        if counted == wanted:
            break
        before, verdict = verdict_on(path, number, changed, tests)
        if verdict == "does not compile":
            continue  # no mutant
        counted += 1
        killed += bool(verdict)
        print(
            f"{place} {verdict or 'SURVIVED'}: {path.name}:{number + 1}: {before.strip()}  ->  "
            f"{changed.strip()}",
            flush=True,
        )
    print(f"{killed} of {counted} noticed ({100 * killed / max(counted, 1):.1f} %)")
    return 0 if counted and killed >= 0.95 * counted else 1


if __name__ == "__main__":
    sys.exit(main())
