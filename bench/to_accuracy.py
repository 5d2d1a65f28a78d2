#!/usr/bin/env python3
"""Seconds of training to the published accuracy: drape, PyTorch eager, PyTorch tuned.

usage: to_accuracy.py --bin FOLDER [--python PYTHON] [--data FOLDER] [--device D] [--threads T]
                      [--batch B] [--systems NAME ...] [--json FILE] [--epochs N] [--limit N]
                      [--most TIMES]

Protocol `published`, seed 0, Adam with the rate falling along a cosine over as many epochs for all.
Seconds count from the first step to the end of the first evaluation on the test images that is as
good as the study's best: evaluation and, of PyTorch, compilation included, loading not. With
--most, PyTorch is broken off when it has taken TIMES as long as drape. Prints a table in Markdown;
FILE is rewritten after every run. Hours on a CPU.
"""

import argparse
import csv
import itertools
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from markdown import table
from processes import run, write_whole
from systems import SYSTEMS

PEER = Path(__file__).resolve().parent / "peers" / "torch_systems.py"
CONFIGURATIONS = {
    "drape": {},
    "eager": {"cpu": [], "cuda": ["--tf32"]},
    "tuned": {
        "cpu": ["--channels-last"],  # faster than compiled: bench/RESULTS.md
        "cuda": ["--channels-last", "--compile", "--fused-adam", "--search", "--tf32"],
    },
}


ROUNDING = 1e-9  # 92.87 / 100 is above 0.9287


def order(systems):
    """All of ours come first: they say how long PyTorch may take; then system by system."""
    ours, *peers = CONFIGURATIONS
    return [*itertools.product(systems, [ours]), *itertools.product(systems, peers)]


def result(epochs, target):
    """Of the (accuracy, seconds since the start) of each epoch."""
    for number, (accuracy, seconds) in enumerate(epochs, 1):
        if accuracy >= target:
            return {"reached": True, "epoch": number, "seconds": seconds, "accuracy": accuracy}
    best = max((accuracy for accuracy, _ in epochs), default=None)
    return {"reached": False, "best accuracy": best, "epochs": len(epochs)}


def ours(system, arguments, epochs, target):
    (program, *options), _ = SYSTEMS[system]
    with tempfile.TemporaryDirectory() as out:
        options += ["--protocol", "published", "--patience", 0, "--epochs", epochs, "--out", out]
        options += ["--batch", arguments.batch, "--device", arguments.device]
        options += ["--threads", arguments.threads, "--limit", arguments.limit, "--quiet"]
        options += ["--data", arguments.data]
        done = run([arguments.bin / program, *options], stdout=subprocess.DEVNULL)
        if done.returncode != 0:
            return {"reached": False, "not run": f"exit code {done.returncode}"}
        history, seconds = [], 0.0
        for row in csv.DictReader((Path(out) / system / "seed0" / "history.csv").open()):
            seconds += float(row["seconds"])
            history.append((float(row["validation_accuracy"]), seconds))
    return result(history, target)


def theirs(system, arguments, epochs, target, flags, seconds):
    """Broken off after so many seconds."""
    options = ["--epochs", epochs, "--cosine", "--target", target, "--json"]
    options += ["--batch", arguments.batch, "--device", arguments.device]
    options += ["--threads", arguments.threads, "--data", arguments.data]
    options += ["--limit", arguments.limit] if arguments.limit else []
    options += ["--seconds", seconds]
    done = run([arguments.python, PEER, system, *options, *flags], stdout=subprocess.PIPE)
    if done.returncode != 0:
        return {"reached": False, "not run": f"exit code {done.returncode}"}
    history = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    found = result([(each["accuracy"], each["elapsed"]) for each in history], target)
    if not found["reached"] and len(history) < epochs:
        found["broken off"] = seconds
    return found


def shown(run):
    if not run:
        return None
    if run["reached"]:
        return f"{run['seconds']:.1f} s, {run['epoch']} epochs"
    if "not run" in run:
        return f"not run: {run['not run']}"
    time = f"{run['broken off']:.1f} s, " if "broken off" in run else ""
    best = f": {100 * run['best accuracy']:.2f} %" if run["epochs"] else ""
    return f"not in {time}{run['epochs']} epochs{best}"


def ratio(run, seconds):
    """How many times the seconds of drape's run it takes."""
    if not run or not seconds:
        return None
    if run["reached"]:
        return f"{run['seconds'] / seconds:.1f}"
    return f"> {run['broken off'] / seconds:.1f}" if "broken off" in run else None


def accuracy_table(rows):
    lines = []
    for row in rows:
        runs = [row.get(name) for name in CONFIGURATIONS]
        ratios = [ratio(run, (runs[0] or {}).get("seconds")) for run in runs[1:]]
        lines.append((row["name"], f"{row['published']:.2f}", *map(shown, runs), *ratios))
    head = ["system", "published, %", "drape", "PyTorch", "PyTorch tuned"]
    return table([*head, "times as fast", "as tuned"], lines)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, required=True, help="folder of the built programs")
    parser.add_argument("--python", default=sys.executable, help="one with torch and torchvision")
    parser.add_argument("--data", type=Path, default=os.environ.get("DRAPE_DATA"))
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--epochs", type=int, help="default: drape's, 15, and 40 with MixUp")
    parser.add_argument("--limit", type=int, default=0, help="first N images only; 0: all")
    parser.add_argument("--accuracy", type=float, help="in percent, instead of the published one")
    parser.add_argument("--most", type=float, default=math.inf, metavar="TIMES")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("expected --data or DRAPE_DATA")
    return arguments


def main():
    arguments = parse_arguments()
    rows = {}
    for name in arguments.systems:
        rows[name] = {"name": name, "published": arguments.accuracy or SYSTEMS[name][1]}
    for system, configuration in order(arguments.systems):
        row = rows[system]
        epochs = arguments.epochs or (40 if system.endswith("mixup") else 15)
        target = row["published"] / 100 - ROUNDING
        flags = CONFIGURATIONS[configuration]
        most = arguments.most * row.get("drape", {}).get("seconds", math.inf)
        row[configuration] = (
            theirs(system, arguments, epochs, target, flags[arguments.device], most)
            if flags
            else ours(system, arguments, epochs, target)
        )
        print(f"{system}, {configuration}: {shown(row[configuration])}", file=sys.stderr)
        if arguments.json:
            text = json.dumps({"rows": list(rows.values())}, indent=1)
            write_whole(arguments.json, text + "\n")
    print("\n".join(accuracy_table(list(rows.values()))))


if __name__ == "__main__":
    main()
