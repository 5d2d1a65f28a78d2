#!/usr/bin/env python3
"""What a benchmark measured, beside what it measured before.

usage: compare.py OLD.json [NEW.json] [--bin FOLDER] [--fail-slower PERCENT] [--keep FILE]

Both are files of `--json` (the schema: bench/record.h). Without NEW, OLD's program runs again from
FOLDER with the same arguments. A row is faster or slower when its time and noise do not overlap the
old ones, where noise is at least 2 %: what one process differs from the next by. Exit code 1 if a
row is slower, beyond noise, by more than PERCENT; else 0.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from processes import run

LEAST_NOISE = 0.02
SAME_IF_COMPARABLE = ("program", "machine", "device", "threads")


def run_again(conditions, folder, keep):
    """The record of the program with the arguments that `conditions` tell."""
    with tempfile.TemporaryDirectory() as scratch:
        path = keep or Path(scratch) / "new.json"
        command = [folder / conditions["program"], *conditions["arguments"], "--json", path]
        done = run(command, stdout=sys.stderr)
        if done.returncode != 0:
            sys.exit(f"compare: exit code {done.returncode} of {' '.join(done.args)}")
        return read(path)


def read(path):
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return record["conditions"], {row["name"]: row for row in record["rows"]}
    except (OSError, ValueError, KeyError, TypeError) as failure:
        sys.exit(f"compare: expected the JSON of a benchmark in {path}, got {failure!r}")


def verdict(old, new):
    """(new time / old time, "faster", "slower" or "same")."""
    ratio = new["seconds"] / old["seconds"]
    noise = [max(LEAST_NOISE, row["noise"]) for row in (old, new)]
    if ratio * (1 - noise[1]) > 1 + noise[0]:
        return ratio, "slower"
    if ratio * (1 + noise[1]) < 1 - noise[0]:
        return ratio, "faster"
    return ratio, "same"


def show(row):
    return f"{1e6 * row['seconds']:.1f} us ± {100 * row['noise']:.0f} %"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path, metavar="OLD.json")
    parser.add_argument("new", type=Path, metavar="NEW.json", nargs="?")
    parser.add_argument("--bin", type=Path, help="folder of the built programs")
    parser.add_argument("--fail-slower", type=float, metavar="PERCENT")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="where the new record stays")
    arguments = parser.parse_args()
    if arguments.new is None and arguments.bin is None:
        parser.error("expected NEW.json or --bin")
    return arguments


def main():
    arguments = parse_arguments()
    old_conditions, old = read(arguments.old)
    if arguments.new:
        new_conditions, new = read(arguments.new)
    else:
        new_conditions, new = run_again(old_conditions, arguments.bin, arguments.keep)
    for key in SAME_IF_COMPARABLE:
        if old_conditions.get(key) != new_conditions.get(key):
            print(f"not the same {key}: {old_conditions.get(key)}; {new_conditions.get(key)}")
    print(f"old: commit {old_conditions.get('commit')}; new: {new_conditions.get('commit')}")

    counts = {"faster": 0, "slower": 0, "same": 0}
    failed = False
    for name in [*old, *(name for name in new if name not in old)]:
        if name not in old or name not in new:
            print(f"{name:56} only in the {'new' if name in new else 'old'}")
            continue
        ratio, word = verdict(old[name], new[name])
        counts[word] += 1
        change = f"{100 * (ratio - 1):+.1f} %"
        print(f"{name:56} {show(old[name]):>22} -> {show(new[name]):>22} {change:>9}  {word}")
        limit = arguments.fail_slower
        failed |= word == "slower" and limit is not None and 100 * (ratio - 1) > limit
    print(", ".join(f"{count} {word}" for word, count in counts.items()))
    return 1 if failed or not any(counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
