#!/usr/bin/env python3
"""What each CUDA kernel takes of the device: registers, local memory, static shared memory.

usage: kernel_resources.py BUILD_FOLDER [FILE.cu ...] [-NVCC_OPTION ...]

Compiles the files, by default all, once more as the build does, with the options, and lists for
every kernel and architecture what the assembler says. Exit code 1 if a kernel of one of the files
has a stack frame or spills registers to it.
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


def assembler_output(entry, options):
    """The assembler's report on a file of compile_commands.json."""
    words = shlex.split(entry["command"])
    compiler = next(i for i, word in enumerate(words) if Path(word).name == "nvcc")
    words = words[compiler:]  # without the compiler cache
    words[words.index("-c")] = "-fatbin"  # for the device alone
    words[words.index("-o") + 1] = os.devnull
    done = subprocess.run(
        [*words, "-Xptxas=-v", *options], cwd=entry["directory"], capture_output=True, text=True
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
    options = [word for word in sys.argv[2:] if word.startswith("-")]
    wanted = {Path(word).name for word in sys.argv[2:] if word not in options}
    print(COLUMNS.format("registers", "stack", "spilled", "shared", "for", "kernel"))
    kernels = spilling = 0
    for entry in commands:
        file = Path(entry["file"])
        if file.suffix != ".cu" or (wanted and file.name not in wanted):
            continue
        for name, architecture, registers, stack, spilled, shared in sorted(
            resources(assembler_output(entry, options))
        ):
            print(COLUMNS.format(registers, stack, spilled, shared, architecture, name))
            kernels += 1
            spilling += stack > 0 or spilled > 0
    print(f"{kernels} kernels, {spilling} with a stack frame or spilled registers")
    return 1 if spilling or not kernels else 0


if __name__ == "__main__":
    sys.exit(main())
