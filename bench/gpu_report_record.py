"""What the parts of gpu_report.py found, on disk at all times, and the commands they run."""

import datetime
import json
import os
import platform
import re
import tempfile
import threading
import time
from pathlib import Path

from gpu_report_markdown import markdown
from processes import finished, write_whole

HERE = Path(__file__).resolve().parent


class Report:
    """What the parts found, on disk at all times."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.end = time.monotonic() + 60 * arguments.minutes
        self.part, self.part_begin, self.part_end = "", 0.0, self.end
        self.parts = {}
        self.writing = threading.Lock()
        arguments.out.mkdir(parents=True, exist_ok=True)
        for file in ("log.txt", "comparison.html"):  # of an earlier report
            (arguments.out / file).unlink(missing_ok=True)
        self.path = arguments.out / "log.txt"
        self.scratch = Path(tempfile.mkdtemp(prefix="gpu_report."))
        self.facts = facts(arguments)

    def begin(self, part, share):
        self.part, self.part_begin = part, time.monotonic()
        self.part_end = min(self.end, time.monotonic() + 60 * self.arguments.minutes * share)

    def run(self, *command, env=None):
        """(exit code or None, stdout, stderr) of a command within the part's time; logged."""
        start = time.monotonic()
        left = self.part_end - start
        code, out, err = None, "", "no time left"
        if left > 0:
            code, out, err = finished(command, left, env)
        seconds = time.monotonic() - start
        end = "stopped" if code is None else code
        self.log(f"$ {' '.join(map(str, command))}\n{out}{err}\n-> {end} after {seconds:.1f} s")
        return code, out, err

    def log(self, text):
        with self.writing, open(self.path, "a", encoding="utf-8") as log:
            log.write(f"{self.part}: {text}\n")

    def keep(self, sound, **found):
        with self.writing:
            seconds = round(time.monotonic() - self.part_begin, 1)
            self.parts[self.part] = {"sound": sound, "seconds": seconds, **found}
            text = json.dumps({"facts": self.facts, "parts": self.parts}, indent=1)
            write_whole(self.arguments.out / "report.json", text)
            write_whole(self.arguments.out / "report.md", markdown(self.facts, self.parts))


def json_lines(text):
    """The JSON objects that are a line each; the last may be cut off."""
    for line in text.splitlines():
        try:
            if line.startswith("{"):
                yield json.loads(line)
        except json.JSONDecodeError:
            continue


def measured(report, *command):
    """(exit code, rows) of a benchmark, however far it came."""
    record = report.scratch / f"{report.part}.json"
    record.unlink(missing_ok=True)
    code, _, _ = report.run(*command, "--json", record)
    return code, json.loads(record.read_text())["rows"] if record.exists() else []


def facts(arguments):
    def said(*command):
        code, out, _ = finished(command, 60)
        return out.strip() if code == 0 else ""

    versions = (
        "import torch, torchvision as v; "
        "print(torch.__version__, v.__version__, torch.backends.cudnn.version())"
    )
    query = "name,driver_version,memory.total,clocks.max.sm,power.limit"
    commit = HERE.parent / "COMMIT"
    return {
        "gpu": said("nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"),
        "nvcc": (re.findall(r"release [^,]*", said("nvcc", "--version")) or [""])[0],
        "torch, torchvision, cuDNN": said(arguments.python, "-c", versions),
        "machine": f"{platform.platform()}, {os.cpu_count()} cores",
        "commit": (
            commit.read_text().strip()
            if commit.exists()
            else said("git", "-C", HERE, "describe", "--always", "--dirty")
        ),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="minutes"),
    }
