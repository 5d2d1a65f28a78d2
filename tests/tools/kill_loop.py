#!/usr/bin/env python3
"""Kills a training program at random moments, again and again, and lets it go on each time.

usage: kill_loop.py PROGRAM [--kills N] [--seed S]

After every kill -9 the newest training state is not older than it was, and the program goes on from
it or from an older one: it says so if it finds none. A run that was killed until it came to its end
must leave weights with the SHA-256 of a run that was left alone. Runs are repeated until N kills
have struck and one start at least went on from a state. Exit code 1 if anything was lost.
"""

import argparse
import hashlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

OPTIONS = ["--synthetic", "--limit", "300", "--epochs", "2", "--batch", "16", "--quiet"]
OPTIONS += ["--checkpoint-steps", "3", "--checkpoint-minutes", "0"]


def command(program, folder, threads):
    return [program, *OPTIONS, "--out", folder, "--threads", str(threads), "--resume"]


def digest(folder):
    (weights,) = folder.glob("*/seed0/weights.safetensors")
    return hashlib.sha256(weights.read_bytes()).hexdigest()


def newest_state(folder):
    """The steps of the newest state, 0 if there is none."""
    states = folder.glob("*/seed0/checkpoints/state-*.safetensors")
    return max((int(state.name.split("-")[1].split(".")[0]) for state in states), default=0)


def killed_until_done(program, folder, draw, longest):
    """How many kills a run took that was let go on each time, and how often it went on from a state
    to a newer one; exits if it cannot."""
    kills = resumptions = newest = 0
    while True:
        before = newest
        process = subprocess.Popen(
            command(program, folder, draw.choice((1, 2))),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            _, errors = process.communicate(timeout=draw.uniform(0.0, longest))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            _, errors = process.communicate()
            kills += 1
        after = f"kill_loop: after {kills} kills of {folder.name}"
        newest = newest_state(folder)
        if newest < before:
            sys.exit(f"{after}: the newest state was of step {before}, is of step {newest}")
        if before > 0 and b"no state in" in errors:
            sys.exit(f"{after}: the state of step {before} was not found")
        if before > 0 and newest > before:
            resumptions += 1
        if process.returncode == 0:
            return kills, resumptions
        if process.returncode != -signal.SIGKILL:
            sys.exit(f"{after}: {errors.decode()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch) / "whole"
        began = time.monotonic()
        subprocess.run(command(arguments.program, whole, 1), check=True, capture_output=True)
        longest = time.monotonic() - began
        expected = digest(whole)
        kills = resumptions = runs = 0
        while kills < arguments.kills:
            folder = Path(scratch) / f"run{runs}"
            struck, resumed = killed_until_done(arguments.program, folder, draw, longest)
            kills += struck
            resumptions += resumed
            runs += 1
            if digest(folder) != expected:
                sys.exit(f"kill_loop: after {kills} kills: other weights")
            print(f"{kills} kills, {resumptions} resumptions", flush=True)
    if resumptions == 0:
        sys.exit("kill_loop: no start went on from a state")
    print(f"{runs} runs that came to the same weights")


if __name__ == "__main__":
    main()
