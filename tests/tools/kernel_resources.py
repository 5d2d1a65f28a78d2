#!/usr/bin/env python3
"""What each CUDA kernel takes of the device: registers, local memory, static shared memory.

usage: kernel_resources.py BUILD_FOLDER [FILE.cu ...]

Compiles the files, by default all, once more as the build does, and lists for every kernel and
architecture what the assembler says. (A build by itself refuses a kernel that spills registers.)
"""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

KERNEL = re.compile(
    r"Compiling entry function '(?P<kernel>\w+)' for '(?P<architecture>\w+)'.*?"
    r"(?P<stack>\d+) bytes stack frame, (?P<stores>\d+) bytes spill stores, "
    r"(?P<loads>\d+) bytes spill loads.*?Used (?P<registers>\d+) registers(?P<rest>[^\n]*)",
    re.DOTALL,
)
COLUMNS = "{:>9} {:>6} {:>7} {:>7}  {:7} {}"


def assembler_output(entry):
    """The assembler's report on a file of compile_commands.json."""
    words = shlex.split(entry["command"])
    compiler = next(i for i, word in enumerate(words) if Path(word).name == "nvcc")
    words = words[compiler:]  # without the compiler cache
    words[words.index("-c")] = "-fatbin"  # for the device alone
    words[words.index("-o") + 1] = os.devnull
    done = subprocess.run(
        [*words, "-Xptxas=-v"], cwd=entry["directory"], capture_output=True, text=True
    )
    if done.returncode != 0:
        sys.exit(f"kernel_resources: {entry['file']} does not compile\n{done.stderr}")
    return done.stdout + done.stderr


def demangled(names):
    done = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True)
    return done.stdout.splitlines()


def without_brackets(text, opening, closing):
    """Drops (...) or <...> with all that is within."""
    depth, kept = 0, ""
    for character in text:
        depth += character == opening
        if depth == 0:
            kept += character
        depth -= character == closing
    return kept


def short(name):
    """A kernel's name without namespaces and parameters; a loop's is that of its function."""
    name = name.replace("(anonymous namespace)::", "").replace("drape::kernels::", "")
    name = without_brackets(name.removeprefix("void "), "(", ")")
    loop = re.match(r"for_each_kernel<(.*?)::\{lambda", name)
    return f"{loop[1]} (loop)" if loop else name


def resources(report):
    """Rows (kernel, architecture, registers, stack bytes, spilled bytes, shared bytes)."""
    found = list(KERNEL.finditer(report))
    for kernel, name in zip(found, demangled([kernel["kernel"] for kernel in found])):
        shared = re.search(r"(\d+) bytes smem", kernel["rest"])
        yield (
            short(name),
            kernel["architecture"],
            int(kernel["registers"]),
            int(kernel["stack"]),
            int(kernel["stores"]) + int(kernel["loads"]),
            int(shared[1]) if shared else 0,
        )


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    commands = json.loads((Path(sys.argv[1]) / "compile_commands.json").read_text())
    wanted = {Path(word).name for word in sys.argv[2:]}
    print(COLUMNS.format("registers", "stack", "spilled", "shared", "for", "kernel"))
    kernels = 0
    for entry in commands:
        file = Path(entry["file"])
        if file.suffix != ".cu" or (wanted and file.name not in wanted):
            continue
        for name, architecture, registers, stack, spilled, shared in sorted(
            resources(assembler_output(entry))
        ):
            print(COLUMNS.format(registers, stack, spilled, shared, architecture, name))
            kernels += 1
    print(f"{kernels} kernels")
    return 0 if kernels else 1


if __name__ == "__main__":
    sys.exit(main())
