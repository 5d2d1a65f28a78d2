#!/usr/bin/env python3
"""How the cost of a training step grows with the batch, the image, the channels and the threads.

usage: growth.py --bin FOLDER [--out FOLDER] [--quick]

Writes growth.md, growth.svg and growth.json. How it measures and fits: METHOD below.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from growth_chart import svg
from markdown import table
from processes import run

METHOD = """\
Each point is a process of its own: bench_training --network conv | deform, which tells the median
time of a step and the most memory that its tensors took. All points are measured in turn, several
times over, for the speed of a shared machine changes within minutes; the median counts. Over the
upper half of an axis, where fixed costs no longer matter, the exponent b of cost = a * size^b is
fitted by least squares on logarithms; so is that of the work: multiplications and additions for
time, elements of layers' outputs and of parameters for memory. A cost whose exponent is more than
0.15 above its work's is flagged.
"""

NETWORKS = ("conv", "deform")
TOLERANCE = 0.15  # of an exponent
AXES = {  # what grows, its values, and what stays
    "batch": ([1, 4, 16, 64, 256, 1024, 4096], {"size": 28, "channels": 16}),
    "size": ([14, 28, 56, 112], {"batch": 16, "channels": 16}),
    "channels": ([8, 16, 32, 64, 128, 256], {"batch": 16, "size": 28}),
}
THREADS = (1, 2)
ROUNDS = 5
REPEAT, FIRST_STEP = 0.05, 2e-3  # seconds: of a repeat at least, and of an axis' first step
COSTS = {  # cost: (figure of a row, unit, figure of the work it should follow)
    "time": ("seconds", "s", "GFLOP a step"),
    "memory": ("memory", "bytes", "elements a step"),
}


def measured(program, network, threads, options, steps):
    """(conditions, row) of one process."""
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "row.json"
        command = [program, "--network", network, "--threads", threads, "--json", record]
        command += ["--steps", steps, "--repeats", 5]
        for name, value in options.items():
            command += [f"--{name}", value]
        run(command, check=True, stdout=subprocess.DEVNULL)
        found = json.loads(record.read_text())
        return found["conditions"], found["rows"][0]


def round_of_points(program, quick, axis):
    """(conditions, {network: {threads: [row of each value]}})"""
    values, fixed = AXES[axis]
    conditions, found = {}, {}
    for network in NETWORKS:
        for threads in THREADS:
            rows, seconds = [], FIRST_STEP
            for value in values[:3] if quick else values:
                steps = max(1, round(REPEAT / seconds))  # enough to take long enough
                options = {**fixed, axis: value}
                conditions, row = measured(program, network, threads, options, steps)
                rows.append({axis: value, **row})
                seconds = row["seconds"]
                print(
                    f"{row['name']}, {threads} threads: {shown(seconds, 'time')},",
                    shown(row["memory"], "memory"),
                    file=sys.stderr,
                    flush=True,
                )
            found.setdefault(network, {})[threads] = rows
    return conditions, found


def points(program, quick):
    """(conditions, {axis: {network: {threads: [row of each value]}}}), a row's time the median."""
    conditions, rounds = {}, {axis: [] for axis in AXES}
    for _ in range(1 if quick else ROUNDS):
        for axis, found in rounds.items():
            conditions, one_round = round_of_points(program, quick, axis)
            found.append(one_round)
    for found in rounds.values():
        for network, by_threads in found[0].items():
            for threads, rows in by_threads.items():
                for i, row in enumerate(rows):
                    times = [other[network][threads][i]["seconds"] for other in found]
                    row.update({"seconds": statistics.median(times), "rounds": times})
    return conditions, {axis: found[0] for axis, found in rounds.items()}


def exponent(xs, ys):
    """b of y = a * x^b over the upper half of the points, at least two."""
    half = min(len(xs) // 2, len(xs) - 2)
    x, y = ([math.log(value) for value in values[half:]] for values in (xs, ys))
    x_mean, y_mean = sum(x) / len(x), sum(y) / len(y)
    products = sum((a - x_mean) * (b - y_mean) for a, b in zip(x, y))
    return products / sum((a - x_mean) ** 2 for a in x)


def fits(found):
    """One entry per axis, network, number of threads and cost."""
    for axis, networks in found.items():
        for network, by_threads in networks.items():
            for threads, rows in by_threads.items():
                xs = [row[axis] for row in rows]
                for cost, (figure, _, work) in COSTS.items():
                    of_cost = exponent(xs, [row[figure] for row in rows])
                    of_work = exponent(xs, [row[work] for row in rows])
                    yield {
                        "axis": axis,
                        "network": network,
                        "threads": threads,
                        "cost": cost,
                        "smallest": rows[0][figure],
                        "largest": rows[-1][figure],
                        "exponent": of_cost,
                        "exponent of work": of_work,
                        "worse": of_cost > of_work + TOLERANCE,
                    }


def shown(value, cost):
    return f"{1e3 * value:.2f} ms" if cost == "time" else f"{value / 2**20:.1f} MiB"


def markdown(conditions, found, all_fits):
    lines = ["# How the cost of a training step grows", ""]
    keys = ("machine", "commit", "date")
    lines += [", ".join(f"{key} {conditions[key]}" for key in keys) + ": `./run bench growth`."]
    lines += ["", *METHOD.splitlines(), ""]
    lines += ["![the same as charts](growth.svg)", ""]
    head = ["grows", "network", "threads", "cost", "from", "to", "exponent", "of the work", ""]
    rows = []
    for fit in all_fits:
        values = [row[fit["axis"]] for row in found[fit["axis"]][fit["network"]][fit["threads"]]]
        ends = [
            f"{shown(fit[end], fit['cost'])} at {value}"
            for end, value in (("smallest", values[0]), ("largest", values[-1]))
        ]
        rows.append(
            (
                fit["axis"],
                fit["network"],
                fit["threads"],
                fit["cost"],
                *ends,
                f"{fit['exponent']:.2f}",
                f"{fit['exponent of work']:.2f}",
                "**worse than its work**" if fit["worse"] else "",
            )
        )
    lines += table(head, rows) + ["", "Two threads beside one, the largest point of each axis:", ""]
    gains = []
    for axis, networks in found.items():
        for network, by_threads in networks.items():
            one, two = (by_threads[threads][-1]["seconds"] for threads in THREADS)
            gains.append((axis, network, f"{one / two:.2f}"))
    return "\n".join(lines + table(["grows", "network", "times as fast"], gains)) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, required=True, help="folder of the built programs")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent / "results")
    parser.add_argument("--quick", action="store_true", help="three points an axis: does it run?")
    arguments = parser.parse_args()
    conditions, found = points(arguments.bin / "bench_training", arguments.quick)
    all_fits = list(fits(found))
    conditions = {key: conditions[key] for key in ("machine", "commit", "date")}
    arguments.out.mkdir(parents=True, exist_ok=True)
    record = {"conditions": conditions, "fits": all_fits, "points": found}
    for name, text in (
        ("growth.json", json.dumps(record, indent=1) + "\n"),
        ("growth.md", markdown(conditions, found, all_fits)),
        ("growth.svg", svg(found, COSTS)),
    ):
        (arguments.out / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
