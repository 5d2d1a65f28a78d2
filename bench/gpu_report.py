"""Proof on a GPU: tests, sanitizers, speed beside PyTorch and the eight trainings, in one report.

usage: gpu_report.py --bin FOLDER --out FOLDER [--data FOLDER] [--python PYTHON] [--minutes M]
                     [--seeds N] [--parts NAME ...]

Needs the built programs, the data set (or DRAPE_DATA) and, for peers, an interpreter with torch and
torchvision. Every part has a time limit of its own; what a part found is written before the next
begins: OUT/report.json, OUT/report.md, OUT/PART.log. Exit code 0 if every part that ran is sound.
"""

import argparse
import datetime
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
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
PUBLISHED = dict(zip(SYSTEMS, (92.30, 91.94, 91.91, 91.88, 92.20, 92.20, 92.87, 92.87)))
SANITIZERS = ("memcheck", "racecheck", "initcheck", "synccheck")
TUNED = ["--channels-last", "--compile", "--fused-adam"]


class Report:
    """What the parts found, on disk at all times."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.deadline = time.monotonic() + 60 * arguments.minutes
        self.parts = {}
        self.facts = facts(arguments)
        arguments.out.mkdir(parents=True, exist_ok=True)

    def seconds_left(self):
        return max(0.0, self.deadline - time.monotonic())

    def run(self, part, command, limit, env=None):
        """(exit code or None, output) of a command within its limit and the report's; logged."""
        limit = min(limit, self.seconds_left())
        start = time.monotonic()
        with open(self.arguments.out / f"{part}.log", "a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(map(str, command))}\n")
            if limit < 1:
                log.write("no time left\n")
                return None, ""
            try:
                done = subprocess.run(
                    list(map(str, command)),
                    capture_output=True,
                    text=True,
                    timeout=limit,
                    errors="replace",
                    env={**os.environ, **(env or {})},
                )
                code, output = done.returncode, done.stdout + done.stderr
            except FileNotFoundError as missing:
                code, output = None, str(missing)
            except subprocess.TimeoutExpired as late:
                parts = (late.stdout, late.stderr)
                output = "".join(
                    p.decode(errors="replace") if isinstance(p, bytes) else p or "" for p in parts
                )
                code = None
            log.write(output + f"\n-> {code} after {time.monotonic() - start:.1f} s\n")
        return code, output

    def keep(self, part, sound, **found):
        self.parts[part] = {"sound": sound, **found}
        text = json.dumps({"facts": self.facts, "parts": self.parts}, indent=1)
        write_whole(self.arguments.out / "report.json", text)
        write_whole(self.arguments.out / "report.md", markdown(self.facts, self.parts))
        print(f"{part}: {'sound' if sound else 'NOT SOUND'}", flush=True)


def write_whole(path, text):
    scratch = path.with_suffix(".partial")
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(path)


def output_of(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        return done.stdout.strip() if done.returncode == 0 else ""
    except (OSError, subprocess.TimeoutExpired):
        return ""


def facts(arguments):
    versions = (
        "import torch, torchvision as v; "
        "print(torch.__version__, v.__version__, torch.backends.cudnn.version())"
    )
    commit = HERE.parent / "COMMIT"
    return {
        "gpu": output_of(
            "nvidia-smi",
            "--query-gpu=name,driver_version,memory.total,clocks.sm,power.limit",
            "--format=csv,noheader",
        ),
        "nvcc": (re.findall(r"release [^,]*", output_of("nvcc", "--version")) or [""])[0],
        "torch, torchvision, cuDNN": output_of(arguments.python, "-c", versions),
        "cpu": f"{platform.machine()}, {os.cpu_count()} cores",
        "commit": (
            commit.read_text().strip()
            if commit.exists()
            else output_of("git", "-C", str(HERE), "describe", "--always", "--dirty")
        ),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="minutes"),
    }


def tests(report):
    """Every test with the device; a skipped one is a failure."""
    found = {}
    for program in ("drape_cuda_tests", "drape_tests"):
        code, output = report.run("tests", [report.arguments.bin / program], 150)
        skipped = output.count("SKIPPED: ")
        last = (re.findall(r"All tests passed.*|test cases:.*", output) or ["no result"])[-1]
        found[program] = {"exit code": code, "skipped": skipped, "result": last}
    report.keep(
        "tests", all(f["exit code"] == 0 and not f["skipped"] for f in found.values()), **found
    )


def sanitizers(report):
    found = {}
    program = report.arguments.bin / "drape_cuda_tests"
    for tool in SANITIZERS:
        code, output = report.run(
            "sanitizers",
            [
                "compute-sanitizer",
                "--tool",
                tool,
                "--error-exitcode",
                "9",
                program,
                "every op on CUDA agrees with the CPU",
            ],
            90,
        )
        said = re.findall(r"=+ (?:ERROR SUMMARY|RACECHECK SUMMARY).*", output)
        found[tool] = {"exit code": code, "said": said[-1] if said else "nothing"}
    report.keep("sanitizers", all(f["exit code"] == 0 for f in found.values()), **found)


def kernels(report):
    code, output = report.run(
        "kernels",
        [
            report.arguments.bin / "bench_kernels",
            "--device=cuda",
            "--benchmark_format=json",
            "--benchmark_min_time=0.05",
        ],
        120,
    )
    rows = {}
    start = output.find("{")
    if code == 0 and start >= 0:
        for row in json.JSONDecoder().raw_decode(output[start:])[0]["benchmarks"]:
            rows[row["name"]] = {
                "us": round(row["real_time"], 2),
                "GB/s": round(row.get("GB/s", 0), 1),
                "GFLOP/s": round(row.get("GFLOP/s", 0), 1),
            }
    peers = {}
    code_peer, output_peer = report.run(
        "kernels", [report.arguments.python, HERE / "peers" / "torch_kernels.py"], 90
    )
    for line in output_peer.splitlines():
        if line.startswith("{"):
            row = json.loads(line)
            peers[row["name"]] = row["us"]
    report.keep(
        "kernels", code == 0 and bool(rows), rows=rows, pytorch=peers, peers_ran=code_peer == 0
    )


def training(report):
    """Images per second of every system: ours, PyTorch as it comes, PyTorch tuned."""
    rows = {}
    sound = True
    for system in SYSTEMS:
        code, output = report.run(
            "training",
            [
                report.arguments.bin / "bench_training",
                "--system",
                system,
                "--cuda",
                "--json",
                "--batch",
                "128",
                "--steps",
                "60",
                "--repeats",
                "3",
            ],
            40,
        )
        ours = (
            json.loads(output.strip().splitlines()[-1])["images_per_second"] if code == 0 else None
        )
        sound = sound and ours is not None
        row = {"drape": ours}
        for name, flags in (("eager", []), ("tuned", TUNED)):
            code, output = report.run(
                "training",
                [
                    report.arguments.python,
                    HERE / "peers" / "torch_systems.py",
                    system,
                    "--json",
                    "--no-eval",
                    "--batch",
                    "128",
                    "--device",
                    "cuda",
                    "--epochs",
                    "3",
                    "--limit",
                    "12800",
                    *flags,
                ],
                60,
                {"DRAPE_DATA": str(report.arguments.data)},
            )
            speeds = [
                json.loads(line)["images_per_second"]
                for line in output.splitlines()
                if line.startswith("{")
            ]
            row[name] = max(speeds[1:]) if code == 0 and len(speeds) > 1 else None
        rows[system] = row
        report.keep("training", sound, rows=rows)


def accuracy(report):
    """Both protocols, as many seeds as there is time for."""
    rows = {}
    sound = True
    for protocol in ("published", "held_out"):
        out = report.arguments.out / "runs" / protocol
        for system in SYSTEMS:
            code, output = report.run(
                "accuracy",
                [
                    report.arguments.bin / "compare",
                    "--systems",
                    system,
                    "--protocol",
                    protocol,
                    "--device",
                    "cuda",
                    "--seeds",
                    report.arguments.seeds,
                    "--out",
                    out,
                    "--data",
                    report.arguments.data,
                ],
                240,
            )
            results = [
                json.loads(path.read_text())
                for path in sorted((out / system).glob("seed*/result.json"))
            ]
            best = [100 * result["best_validation_accuracy"] for result in results]
            mean = sum(best) / len(best) if best else None
            tested = [
                100 * r["test_accuracy"] for r in results if r.get("test_accuracy") is not None
            ]
            rows[f"{protocol} {system}"] = {
                "best validation accuracy": best,
                "mean": mean,
                "test accuracy": tested,
                "exit code": code,
                "published": PUBLISHED[system],
                "seconds per epoch": [r["seconds_per_epoch"] for r in results],
            }
            if protocol == "published":
                sound = sound and code == 0 and mean is not None and mean >= PUBLISHED[system]
            report.keep("accuracy", sound, rows=rows)


PARTS = {
    "tests": tests,
    "sanitizers": sanitizers,
    "kernels": kernels,
    "training": training,
    "accuracy": accuracy,
}


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + [
        "| " + " | ".join("-" if cell is None else str(cell) for cell in row) + " |" for row in rows
    ]


def ratio(ours, theirs):
    return f"{ours / theirs:.1f}" if ours and theirs else None


def markdown(told, parts):
    lines = ["# Report on a GPU", ""] + [
        f"- {name}: {value or 'unknown'}" for name, value in told.items()
    ]
    for name, part in parts.items():
        lines += ["", f"## {name}: {'sound' if part['sound'] else 'not sound'}", ""]
        if name in ("tests", "sanitizers"):
            rows = [
                (key, *value.values()) for key, value in part.items() if isinstance(value, dict)
            ]
            lines += table(["", *next(iter(v for v in part.values() if isinstance(v, dict)))], rows)
        if name == "kernels":
            peers = part["pytorch"]
            lines += table(
                ["kernel", "us", "GB/s", "GFLOP/s", "PyTorch, us", "ratio"],
                [
                    (
                        row,
                        f["us"],
                        f["GB/s"],
                        f["GFLOP/s"],
                        peers.get(base(row)),
                        ratio(peers.get(base(row)), f["us"]),
                    )
                    for row, f in part["rows"].items()
                ],
            )
        if name == "training":
            lines += table(
                ["system", "drape, images/s", "eager", "tuned", "ratio to eager", "ratio to tuned"],
                [
                    (
                        system,
                        *(row[k] and round(row[k]) for k in ("drape", "eager", "tuned")),
                        ratio(row["drape"], row["eager"]),
                        ratio(row["drape"], row["tuned"]),
                    )
                    for system, row in part["rows"].items()
                ],
            )
        if name == "accuracy":
            lines += table(
                [
                    "run",
                    "mean of best validation accuracy, %",
                    "published",
                    "test accuracy, %",
                    "seeds",
                    "s an epoch",
                ],
                [
                    (
                        run,
                        row["mean"] and f"{row['mean']:.2f}",
                        row["published"],
                        ", ".join(f"{t:.2f}" for t in row["test accuracy"]),
                        len(row["best validation accuracy"]),
                        ", ".join(f"{s:.2f}" for s in row["seconds per epoch"]),
                    )
                    for run, row in part["rows"].items()
                ],
            )
    return "\n".join(lines) + "\n"


def base(benchmark):
    """A benchmark's row without what Google Benchmark appends."""
    return re.sub(r"(/process_time|/manual_time|/real_time)+$", "", benchmark)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=os.environ.get("DRAPE_DATA"))
    parser.add_argument("--python", default=shutil.which("python3") or sys.executable)
    parser.add_argument("--minutes", type=float, default=9.5)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("expected --data or DRAPE_DATA")
    os.environ["DRAPE_DATA"] = str(arguments.data)
    report = Report(arguments)
    for part in arguments.parts:
        try:
            PARTS[part](report)
        except Exception as failure:  # what the other parts find is not to be lost
            report.keep(part, False, failure=f"{type(failure).__name__}: {failure}")
    return 0 if all(part["sound"] for part in report.parts.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
