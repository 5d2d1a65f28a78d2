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
from typing import NamedTuple

KERNEL = re.compile(
    r"Compiling entry function '(?P<kernel>\w+)' for '(?P<architecture>\w+)'.*?"
    r"(?P<stack>\d+) bytes stack frame, (?P<stores>\d+) bytes spill stores, "
    r"(?P<loads>\d+) bytes spill loads.*?Used (?P<registers>\d+) registers(?P<rest>[^\n]*)",
    re.DOTALL,
)
COLUMNS = "{:>9} {:>6} {:>7} {:>7}  {:7} {}"


class Kernel(NamedTuple):
    name: str
    architecture: str
    registers: int
    stack: int  # bytes, as are the next two
    spilled: int
    shared: int  # static
    symbol: str


def command_of_nvcc(entry):
    """An entry's command, without the compiler cache; [] if another compiler's."""
    words = shlex.split(entry["command"])
    return next((words[i:] for i, word in enumerate(words) if Path(word).name == "nvcc"), [])


def entries(build_folder, wanted=()):
    """What nvcc compiles of compile_commands.json: files of the wanted names, or all."""
    for entry in json.loads((Path(build_folder) / "compile_commands.json").read_text()):
        if (not wanted or Path(entry["file"]).name in wanted) and command_of_nvcc(entry):
            yield entry


def assembler_output(entry, fatbin=os.devnull):
    """The assembler's report on a file of compile_commands.json; its code goes to `fatbin`."""
    words = command_of_nvcc(entry)
    words[words.index("-c")] = "-fatbin"  # for the device alone
    words[words.index("-o") + 1] = str(fatbin)
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
    """The kernels of an assembler's report."""
    found = list(KERNEL.finditer(report))
    for kernel, name in zip(found, demangled([kernel["kernel"] for kernel in found])):
        shared = re.search(r"(\d+) bytes smem", kernel["rest"])
        yield Kernel(
            short(name),
            kernel["architecture"],
            int(kernel["registers"]),
            int(kernel["stack"]),
            int(kernel["stores"]) + int(kernel["loads"]),
            int(shared[1]) if shared else 0,
            kernel["kernel"],
        )


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    print(COLUMNS.format("registers", "stack", "spilled", "shared", "for", "kernel"))
    kernels = 0
    for entry in entries(sys.argv[1], {Path(word).name for word in sys.argv[2:]}):
        for k in sorted(resources(assembler_output(entry))):
            print(COLUMNS.format(k.registers, k.stack, k.spilled, k.shared, k.architecture, k.name))
            kernels += 1
    print(f"{kernels} kernels")
    return 0 if kernels else 1


if __name__ == "__main__":
    sys.exit(main())
