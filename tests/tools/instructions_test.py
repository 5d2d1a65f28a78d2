"""bench/instructions.py with a doctored baseline, and where it cannot count.

usage: instructions_test.py INSTRUCTIONS FOLDER_OF_PROGRAMS
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROW = "adam_step/[421642]"


def counted(baseline, *options, **environment):
    """(exit code, what was said) of one row."""
    command = [sys.executable, sys.argv[1], "--bin", sys.argv[2], "--rows", "adam"]
    command += ["--baseline", baseline, *options]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **environment}
    )
    return done.returncode, done.stdout + done.stderr


def main():
    with tempfile.TemporaryDirectory() as folder:
        baseline = Path(folder) / "baseline.json"
        code, said = counted(baseline, "--update", PATH=folder)
        assert code == 1 and "SKIPPED: valgrind is not here" in said, said

        code, said = counted(baseline, "--update")
        if "SKIPPED: " in said:
            print(said)
            return
        assert code == 0, said
        record = json.loads(baseline.read_text())
        code, said = counted(baseline)
        assert code == 0 and "+0.00 %" in said, said

        for factor, code_wanted, word in ((0.95, 1, "MORE"), (1.05, 0, "fewer")):
            doctored = {ROW: int(factor * record["instructions"][ROW])}
            baseline.write_text(json.dumps({**record, "instructions": doctored}))
            code, said = counted(baseline)
            assert code == code_wanted and word in said, said

        baseline.write_text(json.dumps({**record, "toolchain": "another compiler"}))
        code, said = counted(baseline)
        assert code == 0 and "SKIPPED: the baseline is of another compiler" in said, said


if __name__ == "__main__":
    main()
