"""A C++ program of what documents show, on standard output.

The blocks ```cpp of one section (of the second level) belong together, in a namespace of their own.
A section that includes nothing is an excerpt: it gets all of drape, and is only compiled. Every
other one has a main(), which the program calls.

usage: documentation_code.py FILE.md[#SECTION]...
"""

import pathlib
import re
import sys


def sections(document):
    """(title, lines with their numbers in ```cpp blocks) of each section that has any."""
    title, inside, code = "", False, []
    for number, line in enumerate(document.read_text().splitlines(), 1):
        if line.startswith("```"):
            inside = line == "```cpp"
        elif inside:
            code.append((number, line))
        elif line.startswith("## "):
            if code:
                yield title, code
            title, code = line.removeprefix("## "), []
    if code:
        yield title, code


def program(arguments):
    head, body, calls = ["#include <drape/drape.h>"], [], []
    for argument in arguments:
        file, _, wanted = argument.partition("#")
        document = pathlib.Path(file)
        found = [one for one in sections(document) if wanted in ("", one[0])]
        if not found:
            sys.exit(f"documentation_code: expected code in {argument}, got none")
        for title, code in found:
            name = "section_" + re.sub(r"\W+", "_", title.lower())
            includes = [line for _, line in code if line.startswith("#include")]
            head += includes
            body.append(f"namespace {name} {{")
            if not includes:
                body.append("using namespace drape;")
            last = 0
            for number, line in code:
                if line in includes:
                    continue
                if number != last + 1:
                    body.append(f'#line {number} "{document.name}"')
                body.append(line)
                last = number
            body.append(f"}}  // namespace {name}")
            if includes:
                calls.append(f"  if (const int status = {name}::main()) return status;")
    return "\n".join([*head, *body, "int main() {", *calls, "}"])


if __name__ == "__main__":
    print(program(sys.argv[1:]))
