"""Training by drape and by PyTorch: alternating, on the same cores, in one run; prints the ratios.

usage: run.py [--python PYTHON] [--rounds N] [--threads T] [--systems NAME ...] [--out OUT]

PYTHON is an interpreter with torch and torchvision. Writes OUT.json and OUT.md. A figure is the
median of the rounds (lowest - highest); a ratio above 1 means that drape is faster than PyTorch's
best configuration. A contender that is missing or fails reads "not run: reason".
"""

import argparse
import datetime
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BATCH = 64
TIMEOUT_SECONDS = 1800

SYSTEMS = (
    "standard",
    "deep",
    "dilated2",
    "dilated10",
    "deformable",
    "enhanced",
    "standard_mixup",
    "deformable_mixup",
)
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
    """One program's way to a figure, and the figures of its rounds."""

    name: str
    command: list
    figures_of: object  # what the command printed -> {row: figure}
    rounds: dict = field(default_factory=dict)
    reason: str = ""

    def run(self, arguments):
        """One round. After a failure a contender stays out."""
        if self.reason:
            return
        try:
            figures = self.figures_of(run_pinned(self.command, arguments.threads))
            for row, figure in figures.items():
                self.rounds.setdefault(row, []).append(figure)
        except NotRun as failure:
            self.reason, self.rounds = str(failure), {}
        except (KeyError, ValueError, IndexError) as failure:
            self.reason, self.rounds = f"unexpected output ({failure!r})", {}


def run_pinned(command, threads):
    """What the command prints, run on the first `threads` of our cores."""
    cores = sorted(os.sched_getaffinity(0))[:threads]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
    except FileNotFoundError:
        raise NotRun(f"no {Path(command[0]).name}") from None
    except subprocess.TimeoutExpired:
        raise NotRun(f"longer than {TIMEOUT_SECONDS} s") from None
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise NotRun(lines[-1][:120])
    return done.stdout


def training_contenders(system, arguments):
    """drape, then PyTorch's configurations. Figures: images per second of training."""

    def ours(_):
        record = json.loads(record_file.read_text())
        return {row["name"]: row["images/s"] for row in record["rows"]}

    def theirs(text):
        speeds = [json.loads(line)["images_per_second"] for line in text.splitlines()]
        return {system: statistics.median(speeds[1:])}  # the first epoch warms up and compiles

    record_file = arguments.out.with_suffix(".drape.json")
    sampled = system.startswith(("deformable", "enhanced"))
    images = BATCH * (10 if sampled else 100) // (5 if arguments.quick else 1)
    peer = [
        arguments.python,
        str(HERE / "torch_systems.py"),
        system,
        "--json",
        "--no-eval",
        "--batch",
        str(BATCH),
        "--threads",
        str(arguments.threads),
        "--limit",
        str(images),
        "--epochs",
        "2" if arguments.quick else "3",
    ]
    binary = [
        str(arguments.bin / "bench_training"),
        "--system",
        system,
        "--batch",
        str(BATCH),
        "--threads",
        str(arguments.threads),
        "--json",
        str(record_file),
    ]
    return [
        Contender("drape", binary, ours),
        *(Contender(name, peer + flags, theirs) for name, flags in CONFIGURATIONS.items()),
    ]


def summary(contender, row):
    """The median and the range of a contender's rounds, or why there are none."""
    rounds = contender.rounds.get(row)
    if not rounds:
        return {"name": contender.name, "not_run": contender.reason or "no figure"}
    return {
        "name": contender.name,
        "median": statistics.median(rounds),
        "low": min(rounds),
        "high": max(rounds),
        "rounds": rounds,
    }


def compare(row, contenders):
    """drape against the best peer of a row."""
    ours, *peers = (summary(contender, row) for contender in contenders)
    result = {"row": row, "drape": ours, "peers": peers}
    ran = [peer for peer in peers if "median" in peer]
    if not ran:
        return result
    best = max(ran, key=lambda peer: peer["median"])
    result["best_peer"] = best["name"]
    if "median" in ours:
        by_round = [x / y for x, y in zip(ours["rounds"], best["rounds"])]
        result["ratio"] = {
            "of_medians": ours["median"] / best["median"],
            "low": min(by_round),
            "high": max(by_round),
        }
    return result


def measure(arguments):
    """Rounds of every contender of a system in turn, system after system: a result of each."""
    for system in arguments.systems:
        contenders = training_contenders(system, arguments)
        for _ in range(arguments.rounds):
            for contender in contenders:
                contender.run(arguments)
                print(
                    f"{system}, {contender.name}: {contender.reason or contender.rounds}",
                    file=sys.stderr,
                    flush=True,
                )
        yield compare(system, contenders)


def output_of(*command):
    try:
        return run_pinned(list(command), 1).strip()
    except NotRun as failure:
        return f"unknown: {failure}"


def cpu_model():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(
        (line.split(":")[1].strip() for line in lines if line.startswith("model name")),
        platform.processor(),
    )


def conditions(arguments):
    """What the figures depend on."""
    versions = "import torch, torchvision; print(torch.__version__, torchvision.__version__)"
    shown = [Path(word).name if os.path.isabs(word) else word for word in sys.argv[1:]]
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "threads": arguments.threads,
        "batch": BATCH,
        "system": f"{platform.system()} {platform.machine()}",
        "torch, torchvision": output_of(arguments.python, "-c", versions),
        "commit": output_of("git", "describe", "--always", "--dirty"),
        "command": shlex.join(["python3", "bench/peers/run.py", *shown]),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="minutes"),
        "load before": round(os.getloadavg()[0], 2),
    }


def cell(entry, best=False):
    if "not_run" in entry:
        return f"not run: {entry['not_run']}".replace("|", "/")
    digits = 0 if entry["median"] >= 100 else 2
    text = "{median:.{d}f} ({low:.{d}f} - {high:.{d}f})".format(**entry, d=digits)
    return f"**{text}**" if best else text


def markdown(record):
    lines = [f"- {key}: {value}" for key, value in record["conditions"].items()] + [""]
    names = list(CONFIGURATIONS)
    lines += [
        f"| images/s | drape | ratio to the best | {' | '.join(names)} |",
        "|---" * (len(names) + 3) + "|",
    ]
    for result in record["results"]:
        ratio = result.get("ratio")
        shown = "{of_medians:.2f}x ({low:.2f} - {high:.2f})".format(**ratio) if ratio else "-"
        cells = [result["row"], cell(result["drape"]), shown]
        cells += [cell(peer, peer["name"] == result.get("best_peer")) for peer in result["peers"]]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--python", default=sys.executable, help="interpreter with torch")
    parser.add_argument(
        "--bin", type=Path, default=ROOT / "build" / "release" / "bin", help="our binaries"
    )
    parser.add_argument("--systems", nargs="*", choices=SYSTEMS, default=SYSTEMS)
    parser.add_argument("--quick", action="store_true", help="one short round: does it run?")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "peers")
    arguments = parser.parse_args()
    if "DRAPE_DATA" not in os.environ:
        parser.error("expected in DRAPE_DATA the folder of the data that peers train on, got none")
    arguments.bin = arguments.bin.absolute()  # contenders run in the root of the repository
    arguments.out = arguments.out.absolute()
    if os.sep in arguments.python:
        arguments.python = os.path.abspath(arguments.python)
    if arguments.quick:
        arguments.rounds = 1
    return arguments


def main():
    arguments = parse_arguments()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    record = {"conditions": conditions(arguments), "results": []}
    for result in measure(arguments):  # written as they come: a run that is ended keeps them
        record["results"].append(result)
        record["conditions"]["load after"] = round(os.getloadavg()[0], 2)
        arguments.out.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
        arguments.out.with_suffix(".md").write_text(markdown(record))
    print(markdown(record))


if __name__ == "__main__":
    main()
