#!/usr/bin/env python3
"""bench_kernels and PyTorch side by side: row after row, alternating, in one run.

usage: kernel_peers.py --bin FOLDER [--python PYTHON] [--device D] [--threads T] [--tf32]
                       [--filter REGEX] [--rounds N] [--seconds S] [--json FILE]

Prints a table in Markdown. A time is the median of the rounds, its noise half the distance between
their quartiles; a ratio above 1 means that drape is faster than PyTorch's best configuration. FILE
has the schema of bench/record.h and is rewritten after every row. Exit code 1 if a result of ours
is wrong. Without PyTorch, the peer's columns say so.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import gpu_bars
from markdown import table
from processes import pinned, words, write_whole

HERE = Path(__file__).resolve().parent
BARS = {  # the ratios that we hold ourselves to
    "cpu": {
        "deform_conv2d/forward/n32_c32_k64_14x14": 8,
        "deform_conv2d/backward/n32_c32_k64_14x14": 15,
    },
    "cuda": gpu_bars.OF_A_ROW,
}


class Contender:
    """A program that answers every line with a line of JSON; `reason`: why it does not."""

    def __init__(self, command, threads):
        self.reason = ""
        try:
            self.process = subprocess.Popen(
                words(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                **pinned(threads),
            )
            self.head = self.read()
        except OSError as failure:
            self.reason = str(failure)

    def read(self):
        """None, and the reason is kept, when the program has ended."""
        line = self.process.stdout.readline()
        if not line:
            self.reason = f"ended with exit code {self.process.wait()}"
            return None
        return json.loads(line)

    def ask(self, row):
        if self.reason:
            return None
        try:
            self.process.stdin.write(row + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # read() tells
        return self.read()

    def end(self):
        if not self.reason:
            self.process.stdin.close()
            self.process.wait()


def summary(rounds):
    """The median of every figure, and the noise of the seconds, of several rounds."""
    figures = {
        key: statistics.median(each[key] for each in rounds)
        for key, value in rounds[0].items()
        if isinstance(value, (int, float))
    }
    if len(rounds) > 1:
        quartiles = statistics.quantiles((each["seconds"] for each in rounds), n=4)
        figures["noise"] = 0.5 * (quartiles[2] - quartiles[0]) / figures["seconds"]
    return figures


def measure(row, ours, peer, rounds):
    """One row of the record; None if ours has ended."""
    of_ours, of_peers = [], {}
    for _ in range(rounds):
        of_ours.append(ours.ask(row))
        for configuration, times in (peer.ask(row) or {}).items():
            of_peers.setdefault(configuration, []).append(times)
    if ours.reason:
        return None
    result = {"name": row, **summary(of_ours)}
    result["right"] = result.get("error", 2.0) <= 1.0  # NaN is none
    result["peers"] = {name: summary(times) for name, times in of_peers.items()}
    for figure in ("seconds", "warm", "cold"):
        theirs = [times[figure] for times in result["peers"].values() if figure in times]
        if theirs:
            result[f"ratio, {figure}"] = min(theirs) / result[figure]
    return result


def cells(row, device):
    def times(entry):
        shown = f"{1e6 * entry['seconds']:.1f} ± {100 * entry['noise']:.0f} %"
        if "cold" in entry:
            shown += f" ({1e6 * entry['warm']:.1f}, {1e6 * entry['cold']:.1f})"
        return shown

    def ratio(figure):
        value = row.get(f"ratio, {figure}")
        return value and f"{value:.2f}"

    ratios = [ratio("seconds")]
    if "warm" in row:
        ratios += [ratio("warm"), ratio("cold")]
    bar = BARS[device].get(row["name"])
    missed = bar and row.get("ratio, seconds", bar) < bar
    return [
        row["name"],
        times(row),
        f"{row['GB/s']:.1f}",
        f"{row['GFLOP/s']:.1f}",
        f"{100 * row['share of limit']:.0f} %",
        "right" if row["right"] else "WRONG",
        "; ".join(f"{name}: {times(entry)}" for name, entry in row["peers"].items()) or None,
        ", ".join(text or "-" for text in ratios),
        bar and f"{bar}{', missed' if missed else ''}",
    ]


def kernel_table(rows, device):
    gpu = device == "cuda"
    time = "us (device alone: warm, cold)" if gpu else "us"
    head = ["row", f"drape, {time}", "GB/s", "GFLOP/s", "of its limit", "result"]
    head += [f"PyTorch, {time}", "times as fast" + (" (called, warm, cold)" if gpu else ""), "bar"]
    return table(head, [cells(row, device) for row in rows])


def markdown(record):
    conditions = record["conditions"]
    lines = [f"- {name}: {value}" for name, value in conditions.items()] + [""]
    return "\n".join(lines + kernel_table(record["rows"], conditions["device"]))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, required=True, help="folder of the built programs")
    parser.add_argument("--python", default=sys.executable, help="one with torch and torchvision")
    parser.add_argument("--device", choices=BARS, default="cpu")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--tf32", action="store_true")
    parser.add_argument("--filter", default=".*", help="regular expression that a name contains")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.05, help="for each time in a round")
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    options = ["--device", arguments.device, "--threads", arguments.threads]
    options += ["--seconds", arguments.seconds] + ["--tf32"] * arguments.tf32
    program = [arguments.bin / "bench_kernels", "--follow", "--filter", arguments.filter]
    ours = Contender([*program, *options], arguments.threads)
    if ours.reason:
        sys.exit(f"kernel_peers: bench_kernels: {ours.reason}")
    script = HERE / "peers" / "torch_kernels.py"
    peer = Contender([arguments.python, script, *options], arguments.threads)
    conditions = ours.head["conditions"]
    conditions["program"] = "kernel_peers"
    conditions["arguments"] = [word for word in sys.argv[1:] if not os.path.isabs(word)]
    conditions["PyTorch"] = peer.reason and f"not run: {peer.reason}" or peer.head["torch"]
    record = {"conditions": conditions, "rows": []}
    names = ours.head["names"]
    if arguments.device == "cuda":  # whoever stops the run has at least those with bars
        names.sort(key=lambda name: name not in gpu_bars.ROWS)
    for name in names:
        row = measure(name, ours, peer, arguments.rounds)
        if row is None:
            break
        record["rows"].append(row)
        print(f"{name}: {cells(row, arguments.device)[7]}", file=sys.stderr, flush=True)
        if arguments.json:
            write_whole(arguments.json, json.dumps(record, indent=1) + "\n")
    peer.end()
    ours.end()
    print(markdown(record))
    if ours.reason:
        sys.exit(f"kernel_peers: bench_kernels {ours.reason}")
    return 0 if all(row["right"] for row in record["rows"]) else 1


if __name__ == "__main__":
    sys.exit(main())
