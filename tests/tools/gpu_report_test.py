"""Programs that pass, fail and hang under bench/gpu_report.py: what the earlier parts found stays.

usage: gpu_report_test.py GPU_REPORT
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

# Two tests, one of them with a name that has to be escaped and is listed on two lines.
LISTED = """if [ "$1" = --list-tests ]; then
  printf 'All available test cases:\\n  one\\n      [tag]\\n  a, b and\\n    c\\n2 test cases\\n'
  exit 2
fi
"""
PASSES = """case "$1" in
  one | 'a\\, b and c') echo "All tests passed (3 assertions in 1 test case)" ;;
  *) exit 1 ;;
esac"""
PROGRAMS = {
    "drape_cuda_tests": LISTED + PASSES,
    "drape_tests": LISTED + PASSES,
    "bench_kernels": 'echo "{ not JSON"; exit 3',
    "bench_training": """for path; do :; done  # the last argument
        echo '{"rows": [{"name": "standard", "images/s": 100}]}' >"$path"; sleep 600""",
    "compare": """for folder; do :; done
        mkdir -p "$folder" && echo report >"$folder"/report.html""",
}


def report_of(folder, *parts):
    """(exit code, report.json, report.md)"""
    out = folder / "out"
    options = ["--bin", folder, "--out", out, "--data", folder, "--minutes", "0.1"]
    options += ["--python", folder / "no_python", "--parts", *parts]
    done = subprocess.run([sys.executable, sys.argv[1], *options], timeout=60)
    parts_found = json.loads((out / "report.json").read_text())["parts"]
    return done.returncode, parts_found, (out / "report.md").read_text()


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for program, body in PROGRAMS.items():
            path = folder / program
            path.write_text(f"#!/bin/sh\n{body}\n")
            path.chmod(0o755)

        code, parts, page = report_of(folder, "tests")
        assert code == 0 and parts["tests"]["sound"], parts
        all_pass = {"tests": 2, "passed": 2, "others": None}
        assert parts["tests"]["rows"]["drape_tests"] == all_pass, parts

        code, parts, page = report_of(folder, "comparison")
        assert code == 0 and parts["comparison"]["rows"]["all eight"]["seconds"] < 6, parts

        code, parts, page = report_of(folder, "tests", "sanitizers", "kernels", "training")
        assert code == 1, parts
        assert {part: found["sound"] for part, found in parts.items()} == {
            "tests": True,
            "sanitizers": False,  # no device
            "kernels": False,  # what it says cannot be read
            "training": False,  # stopped
        }, parts
        assert parts["training"]["rows"]["standard"]["drape"] == 100, parts
        for text in ("## tests: sound", "| 2 | 2 |", "## kernels: not sound", "standard | 100"):
            assert text in page, page

        skips = LISTED + 'echo "SKIPPED: no device"; echo "All tests passed (1 assertion)"'
        (folder / "drape_tests").write_text(f"#!/bin/sh\n{skips}\n")
        code, parts, _ = report_of(folder, "tests")
        assert code == 1, parts
        assert parts["tests"]["rows"]["drape_tests"]["others"] == "one; a, b and c", parts

        (folder / "drape_tests").write_text("#!/bin/sh\n")  # a list without a test proves nothing
        code, parts, _ = report_of(folder, "tests")
        assert code == 1 and parts["tests"]["rows"]["drape_tests"]["tests"] == 0, parts


if __name__ == "__main__":
    main()
