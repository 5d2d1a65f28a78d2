#!/usr/bin/env python3
"""Proof on a GPU: tests, sanitizers, speed beside PyTorch and the eight trainings, in one report.

usage: gpu_report.py --bin FOLDER --out FOLDER [--data FOLDER] [--python PYTHON] [--minutes M]
                     [--seeds N] [--workers N] [--parts NAME ...] [--kernels REGEX] [--rounds N]

Needs the built programs, the data set (or DRAPE_DATA) and, for peers, an interpreter with torch and
torchvision. Every part has its share of the time, the last all that is left; what a part found is
written before the next begins: OUT/report.json, OUT/report.md, OUT/log.txt, and the comparison's
own page, OUT/comparison.html. Exit code 0 if every part is sound: what counts was done, and right.
Bars of speed that are missed are listed beside. Only by name: --parts to_accuracy, minutes more.
"""

import argparse
import concurrent.futures
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from gpu_bars import ROWS as BAR_ROWS
from gpu_report_record import Report, json_lines, measured
from processes import start, stop
from systems import SYSTEMS

HERE = Path(__file__).resolve().parent
SANITIZED = (
    "every op on CUDA agrees with the CPU",
    "clipped steps on CUDA and their average are those of the CPU",
    "a batch of odd images is gathered on CUDA as on the CPU",
)
SANITIZERS = ("memcheck", "racecheck", "initcheck", "synccheck")
PROTOCOLS = ("published", "held_out")
BATCH = 128
TUNED = ["--channels-last", "--compile", "--fused-adam", "--search", "--tf32"]
GRAPHS = [*TUNED, "--cuda-graphs"]
PEERS = {  # the likely best first, should time run out
    "eager": ["--tf32"],
    "tuned, graphs": GRAPHS,
    "tuned, graphs, bf16": [*GRAPHS, "--bf16"],
    "tuned": TUNED,
}
OURS = {"drape": ["--tf32"], "drape, bf16": ["--tf32", "--bf16"]}
TIMES_EAGER, TIMES_TUNED, COMPARISON_SECONDS = 8, 2, 20  # the bars
ROUNDING = 1e-9  # in percent: 100 * 0.9287 is below 92.87


def test_names(report, program):
    """Of all tests but those of the checkout."""
    _, out, _ = report.run(program, "--list-tests", "--verbosity", "quiet", "~[repository]")
    if not re.search(r"test cases:$", out, re.MULTILINE):
        return out.splitlines()  # Catch2 3: a name a line
    names = []
    for line in out.splitlines():
        if line.startswith("      "):  # tags
            continue
        if line.startswith("    ") and names:  # the name goes on
            names[-1] += " " + line.strip()
        elif line.startswith("  "):
            names.append(line.strip())
    return names


def tests(report):
    """Every test with the device, each in a process of its own; a skipped one is a failure."""
    env = {**os.environ, "OMP_NUM_THREADS": "2"}

    def passes(test):
        program, name = test
        code, out, _ = report.run(program, re.sub(r'([,\[\]\\"])', r"\\\1", name), env=env)
        return code == 0 and "All tests passed" in out and "SKIPPED: " not in out

    rows = {}
    for name in ("drape_cuda_tests", "drape_tests"):
        program = report.arguments.bin / name
        names = test_names(report, program)
        with concurrent.futures.ThreadPoolExecutor(max(1, os.cpu_count() - 2)) as pool:
            passed = list(pool.map(passes, [(program, test) for test in names]))
        rows[name] = {
            "tests": len(names),
            "passed": sum(passed),
            "others": "; ".join(test for test, well in zip(names, passed) if not well) or None,
        }
        report.keep(False, rows=rows)
    report.keep(all(row["tests"] and row["others"] is None for row in rows.values()), rows=rows)


def sanitizers(report):
    """All four at once: they leave most of a GPU idle."""
    program = report.arguments.bin / "drape_cuda_tests"

    def check(tool):
        options = ["--tool", tool, "--error-exitcode", 9]
        code, out, err = report.run("compute-sanitizer", *options, program, ",".join(SANITIZED))
        said = re.findall(r"=+ (?:ERROR|RACECHECK) SUMMARY.*|=+ Error.*", out + err)
        said = said or (out + err).splitlines() or ["nothing"]
        all_passed = rf"All tests passed \(.* in {len(SANITIZED)} test cases\)"
        tested = re.search(all_passed, out) is not None and "SKIPPED: " not in out
        return {"exit code": code, "tested": tested, "said": said[-1]}

    with concurrent.futures.ThreadPoolExecutor() as pool:
        rows = dict(zip(SANITIZERS, pool.map(check, SANITIZERS)))
    report.keep(all(row["exit code"] == 0 and row["tested"] for row in rows.values()), rows=rows)


def kernels(report):
    """Rows of bench_kernels beside PyTorch's: those with bars first, then all for which is time."""
    options = ["--bin", report.arguments.bin, "--python", report.arguments.python]
    options += ["--device", "cuda", "--tf32", "--seconds", 0.02]
    options += ["--rounds", report.arguments.rounds]
    if report.arguments.kernels:
        options += ["--filter", report.arguments.kernels]
    code, found = measured(report, sys.executable, HERE / "kernel_peers.py", *options)
    rows = {row["name"]: row for row in found}
    ended = code == 0 or (code is None and BAR_ROWS <= rows.keys())
    right = all(
        row["right"] and (row["peers"] or name not in BAR_ROWS) for name, row in rows.items()
    )
    report.keep(bool(rows) and ended and right, rows=rows)


def peer_command(report, epochs, limit, *flags):
    options = ["--json", "--no-eval", "--device", "cuda", "--batch", BATCH]
    options += ["--epochs", epochs, "--limit", limit, "--data", report.arguments.data]
    program = HERE / "peers" / "torch_systems.py"
    return [report.arguments.python, program, *SYSTEMS, *options, *flags]


def training(report):
    """Images per second of every system: ours, PyTorch's eager, in CUDA graphs, and compiled."""
    rows = {system: dict.fromkeys((*OURS, *PEERS)) for system in SYSTEMS}
    sound = True
    options = ["--device", "cuda", "--batch", BATCH, "--steps", 60, "--repeats", 3]
    for name, flags in OURS.items():
        code, found = measured(report, report.arguments.bin / "bench_training", *options, *flags)
        sound = sound and code == 0
        for row in found:
            rows[row["name"]][name] = row["images/s"]
        report.keep(False, rows=rows)
    for configuration, flags in PEERS.items():
        _, out, _ = report.run(*peer_command(report, 3, 100 * BATCH, *flags))
        for line in json_lines(out):  # the first epoch, which compiles, does not count
            if line["epoch"] > 1:
                row, speed = rows[line["model"]], line["images_per_second"]
                row[configuration] = max(speed, row[configuration] or 0)
        whole = all(
            row["drape"] and row["eager"] and (row["tuned"] or row["tuned, graphs"])
            for row in rows.values()
        )
        report.keep(sound and whole, rows=rows, missed=missed_speeds(rows))


def missed_speeds(rows):
    """Bars of speed at f32 that figures at hand miss."""
    missed = []
    for system, row in rows.items():
        tuned = max(row["tuned"] or 0, row["tuned, graphs"] or 0)
        bars = (("eager", row["eager"], TIMES_EAGER), ("tuned", tuned, TIMES_TUNED))
        for name, peer, bar in bars:
            if row["drape"] and peer and row["drape"] < bar * peer:
                missed.append(f"{system}: {row['drape'] / peer:.1f} times {name}, bar {bar}")
    return missed


def comparison(report):
    """The whole comparison as a user asks for it: one seed, early stopping, the report."""
    out = report.scratch / "held_out"
    options = ["--device", "cuda", "--quiet", "--data", report.arguments.data, "--out", out]
    start = time.monotonic()
    code, _, _ = report.run(report.arguments.bin / "compare", *options)
    seconds = round(time.monotonic() - start, 1)
    page = out / "report.html"
    if page.exists():
        shutil.copyfile(page, report.arguments.out / "comparison.html")
    report.keep(
        code == 0 and page.exists(),
        rows={"all eight": {"seconds": seconds, "bar": COMPARISON_SECONDS}},
        missed=[f"{seconds} s, bar {COMPARISON_SECONDS}"] if seconds > COMPARISON_SECONDS else [],
    )


def train(report, protocol, system, seed):
    """(exit code or None, result or None) of a training, of the comparison's if that was one."""
    (program, *options), _ = SYSTEMS[system]
    out = report.scratch / protocol
    path = out / system / f"seed{seed}" / "result.json"
    if path.exists():
        result = json.loads(path.read_text())
        if result["test_accuracy"] is not None:  # it came to its end
            return 0, result
    options += ["--protocol", protocol, "--seed", seed, "--device", "cuda", "--threads", 2]
    options += ["--out", out, "--data", report.arguments.data]
    code, _, _ = report.run(report.arguments.bin / program, *options)
    return code, json.loads(path.read_text()) if code == 0 else None


def accuracy(report):
    """Several runs at once, seed after seed: nothing is timed.

    Protocol `published` is what counts; of `held_out`, what the time is enough for."""
    rows = {}
    for protocol, (system, (_, published)) in itertools.product(PROTOCOLS, SYSTEMS.items()):
        rows[f"{protocol} {system}"] = {
            "published": published,
            "mean": None,
            "best validation accuracy": [],
            "test accuracy": [],
        }

    def run(job):
        protocol, seed, system = job
        code, result = train(report, protocol, system, seed)
        if result is None:
            return code
        with report.writing:
            row = rows[f"{protocol} {system}"]
            best = row["best validation accuracy"]
            best.append(100 * result["best_validation_accuracy"])
            row["mean"] = sum(best) / len(best)
            if result["test_accuracy"] is not None:
                row["test accuracy"].append(100 * result["test_accuracy"])
        report.keep(False, rows=rows)
        return code

    systems = list(reversed(SYSTEMS))  # the longest first
    jobs = list(itertools.product(PROTOCOLS, range(report.arguments.seeds), systems))
    with concurrent.futures.ThreadPoolExecutor(report.arguments.workers) as pool:
        codes = dict(zip(jobs, pool.map(run, jobs)))
    reached = all(
        row["mean"] and row["mean"] >= row["published"] - ROUNDING
        for name, row in rows.items()
        if name.startswith("published")
    )
    ran = all(
        code == 0 or (code is None and protocol == "held_out")
        for (protocol, *_), code in codes.items()
    )
    trained = sum(code == 0 for code in codes.values())
    report.keep(ran and reached, rows=rows, trained=trained, wanted=len(codes))


def to_accuracy(report):
    """Seconds to the published accuracy, as far as the time allows."""
    options = ["--bin", report.arguments.bin, "--python", report.arguments.python]
    options += ["--data", report.arguments.data, "--device", "cuda", "--batch", BATCH]
    options += ["--most", 10]
    _, found = measured(report, sys.executable, HERE / "to_accuracy.py", *options)
    report.keep(
        bool(found) and all(row.get("drape", {}).get("reached") for row in found),
        rows={row["name"]: row for row in found},
    )


PARTS = {  # and the share of the time that each may take
    "tests": (tests, 0.12),
    "sanitizers": (sanitizers, 0.08),
    "kernels": (kernels, 0.14),
    "training": (training, 0.25),
    "comparison": (comparison, 0.06),
    "accuracy": (accuracy, 1.0),
    "to_accuracy": (to_accuracy, 1.0),
}
DEFAULT_PARTS = [name for name in PARTS if name != "to_accuracy"]
WARM_UP_SHARE = 0.06  # beyond the parts that it runs beside


class WarmUp:
    """PyTorch compiles, beside the parts that are not timed, what `training` times."""

    def __init__(self, report):
        self.report, self.processes = report, []
        if "training" not in report.arguments.parts:
            return
        self.file = open(report.scratch / "warm_up", "w+", encoding="utf-8", errors="replace")
        for flags in PEERS.values():
            if "--compile" in flags:
                command = peer_command(report, 1, 2 * BATCH, *flags)
                try:
                    self.processes.append(start(command, self.file, self.file))
                except OSError as missing:
                    report.log(f"warming up: {missing}")

    def end(self, seconds):
        """Waits so long for it, at most, then stops it."""
        if not self.processes:
            return
        end = time.monotonic() + seconds
        for process in self.processes:
            try:
                process.wait(max(0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                stop(process)
        self.processes = []
        self.file.seek(0)
        self.report.log(f"warming up: {self.file.read()}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, required=True, help="folder of the built programs")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=os.environ.get("DRAPE_DATA"))
    parser.add_argument("--python", default=sys.executable, help="one with torch and torchvision")
    parser.add_argument("--minutes", type=float, default=9.5, help="for everything")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=7, help="trainings at once")
    parser.add_argument("--kernels", metavar="REGEX", help="that a kernel's name contains")
    parser.add_argument("--rounds", type=int, default=2, help="of the kernels' times")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=DEFAULT_PARTS)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("expected --data or DRAPE_DATA")
    arguments.parts = [name for name in PARTS if name in arguments.parts]  # the last takes the rest
    os.environ["DRAPE_DATA"] = str(arguments.data)
    return arguments


def main():
    report = Report(parse_arguments())
    warm_up = WarmUp(report)
    try:
        for name in report.arguments.parts:
            part, share = PARTS[name]
            if name not in ("tests", "sanitizers"):  # what is timed runs alone
                warm_up.end(seconds=60 * report.arguments.minutes * WARM_UP_SHARE)
            report.begin(name, share)
            try:
                part(report)
            except Exception as failure:  # what was found before is not to be lost
                found = {**report.parts.get(name, {}), "sound": False}
                found.pop("seconds", None)
                report.keep(**found, failure=f"{type(failure).__name__}: {failure}")
            print(f"{name}: {'sound' if report.parts[name]['sound'] else 'NOT SOUND'}", flush=True)
    finally:
        warm_up.end(seconds=0)
        shutil.rmtree(report.scratch, ignore_errors=True)
    return 0 if all(part["sound"] for part in report.parts.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
