#!/usr/bin/env python3
"""bench_training and PyTorch side by side: alternating, on the same cores, in one run.

usage: training_peers.py --bin FOLDER [--python PYTHON] [--data FOLDER] [--rounds N] [--threads T]
                         [--systems NAME ...] [--quick] [--out OUT]

Prints a table in Markdown; OUT.json and OUT.md are rewritten after every system. A figure is images
per second, the median of the rounds (lowest - highest); a ratio above 1 means that drape is faster
than PyTorch's best configuration. A contender that is missing or fails reads "not run: reason".
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from markdown import table
from processes import pinned, run
from systems import SYSTEMS

HERE = Path(__file__).resolve().parent
BATCH = 64
TIMEOUT_SECONDS = 1800
CONFIGURATIONS = {
    "eager": [],
    "channels_last": ["--channels-last"],
    "compile": ["--compile"],
    "compile + channels_last": ["--compile", "--channels-last"],
    "compile + channels_last + fused Adam": ["--compile", "--channels-last", "--fused-adam"],
}


class NotRun(Exception):
    """Why a contender has no figure."""


@dataclass
class Contender:
    """One program's way to images/s, and those of its rounds."""

    name: str
    command: list
    speed: Callable[[str], float]  # of what the command printed
    rounds: list = field(default_factory=list)
    reason: str = ""

    def run(self, threads):
        """One round. After a failure a contender stays out."""
        if self.reason:
            return
        try:
            self.rounds.append(self.speed(output_of(self.command, threads)))
        except NotRun as failure:
            self.reason = str(failure)
        except (OSError, KeyError, ValueError, IndexError) as failure:
            self.reason = f"unexpected output ({failure!r})"

    def summary(self):
        """The median and the range of the rounds, or why there are none."""
        if self.reason:
            return {"name": self.name, "not_run": self.reason}
        return {
            "name": self.name,
            "median": statistics.median(self.rounds),
            "low": min(self.rounds),
            "high": max(self.rounds),
            "rounds": self.rounds,
        }


def output_of(command, threads):
    try:
        limits = {"timeout": TIMEOUT_SECONDS, **pinned(threads)}
        done = run(command, capture_output=True, **limits)
    except FileNotFoundError:
        raise NotRun(f"no {Path(command[0]).name}") from None
    except subprocess.TimeoutExpired:
        raise NotRun(f"longer than {TIMEOUT_SECONDS} s") from None
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise NotRun(lines[-1][:120])
    return done.stdout


def contenders(system, arguments, record):
    """drape, which writes its record, then PyTorch's configurations."""

    def ours(_):
        return json.loads(record.read_text())["rows"][0]["images/s"]

    def theirs(text):
        speeds = [json.loads(line)["images_per_second"] for line in text.splitlines()]
        return statistics.median(speeds[1:])  # the first epoch warms up and compiles

    sampled = system.startswith(("deformable", "enhanced"))
    images = BATCH * (10 if sampled else 100) // (5 if arguments.quick else 1)
    options = ["--batch", BATCH, "--threads", arguments.threads]
    peer = [arguments.python, HERE / "peers" / "torch_systems.py", system, *options]
    peer += ["--json", "--no-eval", "--limit", images, "--epochs", 2 if arguments.quick else 3]
    peer += ["--data", arguments.data]
    program = [arguments.bin / "bench_training", "--system", system, *options, "--json", record]
    yield Contender("drape", program, ours)
    for name, flags in CONFIGURATIONS.items():
        yield Contender(name, peer + flags, theirs)


def measure(system, arguments, record):
    """Rounds of every contender in turn; drape against the best peer."""
    everyone = list(contenders(system, arguments, record))
    for _ in range(arguments.rounds):
        for contender in everyone:
            contender.run(arguments.threads)
            said = contender.reason or contender.rounds
            print(f"{system}, {contender.name}: {said}", file=sys.stderr, flush=True)
    ours, *peers = (contender.summary() for contender in everyone)
    result = {"row": system, "drape": ours, "peers": peers}
    ran = [peer for peer in peers if "median" in peer]
    if not ran:
        return result
    best = max(ran, key=lambda peer: peer["median"])
    result["best_peer"] = best["name"]
    if "median" in ours:
        by_round = [x / y for x, y in zip(ours["rounds"], best["rounds"])]
        of_medians = ours["median"] / best["median"]
        result["ratio"] = {"of_medians": of_medians, "low": min(by_round), "high": max(by_round)}
    return result


def conditions(arguments):
    """What the figures depend on, besides what bench_training's record tells."""
    versions = "import torch, torchvision; print(torch.__version__, torchvision.__version__)"
    try:
        torch = output_of([arguments.python, "-c", versions], 1).strip()
    except NotRun as failure:
        torch = f"unknown: {failure}"
    shown = [Path(word).name if os.path.isabs(word) else word for word in sys.argv[1:]]
    return {
        "threads": arguments.threads,
        "batch": BATCH,
        "torch, torchvision": torch,
        "command": shlex.join(["python3", "bench/training_peers.py", *shown]),
        "load before": round(os.getloadavg()[0], 2),
    }


def told(record):
    """Where and when bench_training ran; nothing if it did not."""
    if not record.exists():
        return {}
    of_record = json.loads(record.read_text())["conditions"]
    return {key: of_record[key] for key in ("machine", "commit", "date")}


def cell(entry, best=False):
    if "not_run" in entry:
        return f"not run: {entry['not_run']}".replace("|", "/")
    digits = 0 if entry["median"] >= 100 else 2
    text = "{median:.{d}f} ({low:.{d}f} - {high:.{d}f})".format(**entry, d=digits)
    return f"**{text}**" if best else text


def markdown(record):
    lines = [f"- {key}: {value}" for key, value in record["conditions"].items()] + [""]
    rows = []
    for result in record["results"]:
        ratio = result.get("ratio")
        shown = ratio and "{of_medians:.2f}x ({low:.2f} - {high:.2f})".format(**ratio)
        peers = [cell(peer, peer["name"] == result.get("best_peer")) for peer in result["peers"]]
        rows.append((result["row"], cell(result["drape"]), shown, *peers))
    head = ["images/s", "drape", "ratio to the best", *CONFIGURATIONS]
    return "\n".join(lines + table(head, rows)) + "\n"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, required=True, help="folder of the built programs")
    parser.add_argument("--python", default=sys.executable, help="one with torch and torchvision")
    parser.add_argument("--data", type=Path, default=os.environ.get("DRAPE_DATA"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--quick", action="store_true", help="one short round: does it run?")
    parser.add_argument("--out", type=Path, default=HERE.parent / "out" / "peers")
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("expected --data or DRAPE_DATA")
    if arguments.quick:
        arguments.rounds = 1
    return arguments


def main():
    arguments = parse_arguments()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    ours = arguments.out.with_suffix(".drape.json")
    ours.unlink(missing_ok=True)
    record = {"conditions": conditions(arguments), "results": []}
    for system in arguments.systems:
        record["results"].append(measure(system, arguments, ours))
        record["conditions"] = {**told(ours), **record["conditions"]}  # of the first that ran
        record["conditions"]["load after"] = round(os.getloadavg()[0], 2)
        arguments.out.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
        arguments.out.with_suffix(".md").write_text(markdown(record))
    print(markdown(record))


if __name__ == "__main__":
    main()
