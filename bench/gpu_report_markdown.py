"""What gpu_report.py found, as a page to read."""

import re


def markdown(facts, parts):
    lines = ["# Report on a GPU", ""]
    lines += [f"- {name}: {value or 'unknown'}" for name, value in facts.items()]
    for name, part in parts.items():
        lines += ["", f"## {name}: {'sound' if part['sound'] else 'not sound'}", ""]
        if "failure" in part:
            lines += [part["failure"], ""]
        if part.get("rows"):
            lines += TABLES[name](part)
    return "\n".join(lines) + "\n"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + [
        "| " + " | ".join("-" if cell is None else str(cell) for cell in row) + " |" for row in rows
    ]


def ratio(ours, theirs):
    return f"{ours / theirs:.1f}" if ours and theirs else None


def plain(part):
    rows = part["rows"]
    head = list(next(iter(rows.values())))
    return table(["", *head], [(name, *row.values()) for name, row in rows.items()])


def kernels(part):
    def without_suffixes(name):  # of Google Benchmark
        return re.sub(r"(/process_time|/manual_time|/real_time)+$", "", name)

    rows = []
    for name, row in part["rows"].items():
        peer = part["pytorch"].get(without_suffixes(name))
        rows.append((*(without_suffixes(name), *row.values()), peer, ratio(peer, row["us"])))
    return table(["kernel", "us", "GB/s", "GFLOP/s", "PyTorch, us", "times as fast"], rows)


def training(part):
    head = ["system", "drape, images/s", "eager", "tuned", "times eager", "times tuned"]
    rows = []
    for system, row in part["rows"].items():
        ours, eager, tuned = (row[name] for name in ("drape", "eager", "tuned"))
        speeds = (speed and round(speed) for speed in (ours, eager, tuned))
        rows.append((system, *speeds, ratio(ours, eager), ratio(ours, tuned)))
    return table(head, rows)


def accuracy(part):
    def several(values, digits=2):
        return ", ".join(f"{value:.{digits}f}" for value in values) or None

    head = ["protocol, system", "published", "mean of best validation accuracy, %", "each seed's"]
    head += ["test accuracy, %"]
    rows = []
    for run, row in part["rows"].items():
        mean = several([row["mean"]] if row["mean"] else [])
        best = several(row["best validation accuracy"])
        rows.append((run, row["published"], mean, best, several(row["test accuracy"])))
    lines = table(head, rows)
    if "trained" in part:
        lines += ["", f"{part['trained']} of {part['wanted']} runs were trained to their end."]
    return lines


TABLES = {
    "tests": plain,
    "sanitizers": plain,
    "kernels": kernels,
    "training": training,
    "accuracy": accuracy,
}
