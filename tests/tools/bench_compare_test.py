"""bench/compare.py on records with a planted slowdown.

usage: bench_compare_test.py COMPARE
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

CONDITIONS = {
    "program": "bench_fake",
    "arguments": ["--filter", "a b"],
    "machine": "m",
    "device": "cpu",
    "threads": 2,
    "commit": "0",
}
OLD = {"steady": (100e-6, 0.01), "slower": (100e-6, 0.01), "faster": (100e-6, 0.01)}
OLD |= {"noisy": (100e-6, 0.3), "gone": (1e-6, 0.01)}
NEW = {"steady": (101e-6, 0.01), "slower": (110e-6, 0.01), "faster": (50e-6, 0.01)}
NEW |= {"noisy": (140e-6, 0.3), "fresh": (1e-6, 0.01)}


def write(path, rows, **conditions):
    rows = [{"name": name, "seconds": s, "noise": noise} for name, (s, noise) in rows.items()]
    path.write_text(json.dumps({"conditions": {**CONDITIONS, **conditions}, "rows": rows}))
    return path


def compared(*arguments):
    """(exit code, stdout, last word of each row)."""
    command = [sys.executable, sys.argv[1], *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    words = {line.split()[0]: line.split()[-1] for line in done.stdout.splitlines() if line}
    return done.returncode, done.stdout + done.stderr, words


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        old, new = write(folder / "old.json", OLD), write(folder / "new.json", NEW)

        code, said, words = compared(old, new)
        assert code == 0, said
        for row, word in {"steady": "same", "slower": "slower", "faster": "faster"}.items():
            assert words[row] == word, said
        assert words["noisy"] == "same" and words["gone"] == "old" and words["fresh"] == "new", said
        assert "1 faster, 1 slower, 2 same" in said and "not the same" not in said, said

        assert compared(old, new, "--fail-slower", 5)[0] == 1
        assert compared(old, new, "--fail-slower", 15)[0] == 0
        assert compared(old, old, "--fail-slower", 0)[0] == 0

        other = write(folder / "other.json", OLD, threads=1)
        assert "not the same threads: 2; 1" in compared(old, other)[1]

        # The program runs again with its arguments, the last of which say where to write.
        program = folder / "bench_fake"
        program.write_text(
            '#!/bin/sh\n[ "$1" = --filter ] && [ "$2" = "a b" ] || exit 3\n' f'cp "{new}" "$4"\n'
        )
        program.chmod(0o755)
        code, said, words = compared(old, "--bin", folder, "--fail-slower", 5)
        assert code == 1 and words["slower"] == "slower", said

        (folder / "broken.json").write_text("{}")
        code, said, _ = compared(folder / "broken.json", new)
        assert code == 1 and "expected the JSON of a benchmark" in said, said


if __name__ == "__main__":
    main()
