"""documentation_code.py: sections become programs, and what does not compile or fails shows."""

import pathlib
import subprocess
import sys
import tempfile

import documentation_code

DOCUMENT = """# Title
## Whole
```cpp
#include <cstdio>
int answer() { return 42; }
```
Text, and another language:
```sh
exit 1
```
```cpp
int main() { return answer() - STATUS; }
```
## Excerpt
```cpp
Tensor f();
```
"""


def program(text, section=""):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "a.md")
        path.write_text(text)
        return documentation_code.program([f"{path}{section}"])


def status(source):
    """Of the program; None if there is none."""
    with tempfile.TemporaryDirectory() as folder:
        include = pathlib.Path(folder, "drape")
        include.mkdir()
        (include / "drape.h").write_text("namespace drape { struct Tensor {}; }\n")
        binary = pathlib.Path(folder, "a")
        compiler = ["c++", "-std=c++20", "-I", folder, "-x", "c++", "-", "-o", binary]
        if subprocess.run(compiler, input=source, text=True, stderr=subprocess.DEVNULL).returncode:
            return None
        return subprocess.run([binary]).returncode


def main():
    assert status(program(DOCUMENT.replace("STATUS", "42"))) == 0
    assert status(program(DOCUMENT.replace("STATUS", "40"))) == 2
    assert status(program(DOCUMENT.replace("STATUS", "no_number"))) is None
    assert status(program(DOCUMENT.replace("Tensor f", "Tenser f"))) is None
    assert status(program(DOCUMENT.replace("STATUS", "40"), "#Excerpt")) == 0
    assert '#line 12 "a.md"\nint main()' in program(DOCUMENT)
    try:
        program(DOCUMENT, "#Another")
    except SystemExit as end:
        assert "#Another, got none" in str(end)
    else:
        sys.exit("expected a section that is not there to end it")


if __name__ == "__main__":
    main()
