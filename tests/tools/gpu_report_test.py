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
# Every system's result, whichever is asked for.
TRAINS = """while [ $# -gt 0 ]; do
  case "$1" in --out) out=$2 ;; --seed) seed=$2 ;; --protocol) protocol=$2 ;; esac
  shift
done
[ $protocol = published ] && test=null || test=0.92
for system in standard deep dilated2 dilated10 deformable enhanced standard_mixup deformable_mixup
do
  mkdir -p $out/$system/seed$seed
  echo '{"best_validation_accuracy": ACCURACY, "test_accuracy": '$test'}' >$out/$$
  mv $out/$$ $out/$system/seed$seed/result.json
done
"""
PROGRAMS = {
    "drape_cuda_tests": LISTED + PASSES,
    "drape_tests": LISTED + PASSES,
    "bench_kernels": 'echo "{ not JSON"; exit 3',
    "bench_training": """for path; do :; done  # the last argument
        echo '{"rows": [{"name": "standard", "images/s": 100}]}' >"$path"; sleep 600""",
    "compare": """for folder; do :; done
        mkdir -p "$folder" && echo report >"$folder"/report.html""",
}


def write(path, body):
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def report_of(folder, *parts):
    """(exit code, report.json, report.md)"""
    out = folder / "out"
    options = ["--bin", folder, "--out", out, "--data", folder, "--minutes", "0.1"]
    options += ["--python", folder / "no_python", "--parts", *parts]
    done = subprocess.run([sys.executable, sys.argv[1], *options], timeout=60)
    parts_found = json.loads((out / "report.json").read_text())["parts"]
    return done.returncode, parts_found, (out / "report.md").read_text()


def check_bars():
    """Sums of both directions over a peer's, and what was not measured."""
    sys.path.insert(0, str(Path(sys.argv[1]).parent))
    from gpu_bars import verdicts

    def row(ours, theirs):
        peers = {"torchvision": {"seconds": theirs, "warm": theirs}}
        return {"seconds": ours, "warm": 0.9 * ours, "share of limit": 0.7, "peers": peers}

    name = "deform_conv2d/{}/n256_c32_k64_14x14".format
    rows = {name("forward"): row(1.0, 10.0), name("backward"): row(3.0, 13.9)}
    found = {what: (shown, missed) for what, _, shown, missed in verdicts(rows)}
    times = "{}: times torchvision".format
    assert found[times(name("forward") + ", as called")] == ("10.00", False), found
    assert found[times(name("forward and backward") + ", as called")] == ("5.97", True), found
    detection = "deform_conv2d/forward/n8_c256_k256_56x56, as called"
    assert found[times(detection)] == (None, False), found
    assert found[f"{name('forward')}: share of its limit"] == ("70%", False), found


def main():
    check_bars()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for program, body in PROGRAMS.items():
            write(folder / program, body)

        code, parts, page = report_of(folder, "tests")
        assert code == 0 and parts["tests"]["sound"], parts
        all_pass = {"tests": 2, "passed": 2, "others": None}
        assert parts["tests"]["rows"]["drape_tests"] == all_pass, parts

        code, parts, page = report_of(folder, "comparison")
        assert code == 0 and parts["comparison"]["rows"]["all eight"]["seconds"] < 6, parts
        found = sorted(path.name for path in (folder / "out").iterdir())
        assert found == ["comparison.html", "log.txt", "report.json", "report.md"], found

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

        for best, sound in (("0.9287", True), ("0.9286", False)):  # of 92.87 %
            for program in ("standard", "deep", "dilated", "deformable", "enhanced"):
                write(folder / program, TRAINS.replace("ACCURACY", best))
            code, parts, _ = report_of(folder, "accuracy", "--seeds", "2")
            assert parts["accuracy"]["sound"] == sound and code == 1 - sound, parts
            assert parts["accuracy"]["trained"] == parts["accuracy"]["wanted"] == 32, parts

        names = 'echo one; echo "a, b and c"; exit 2'  # as version 3 of Catch2 lists them
        write(folder / "drape_tests", f"if [ $1 = --list-tests ]; then {names}; fi\n{PASSES}")
        code, parts, _ = report_of(folder, "tests")
        assert parts["tests"]["rows"]["drape_tests"] == all_pass, parts

        (folder / "drape_tests").write_text("#!/bin/sh\n")  # a list without a test proves nothing
        code, parts, _ = report_of(folder, "tests")
        assert code == 1 and parts["tests"]["rows"]["drape_tests"]["tests"] == 0, parts


if __name__ == "__main__":
    main()
