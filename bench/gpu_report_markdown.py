"""What gpu_report.py found, as a page to read."""

from gpu_bars import bar_table
from kernel_peers import kernel_table
from markdown import table
from to_accuracy import accuracy_table


def markdown(facts, parts):
    lines = ["# Report on a GPU", ""]
    lines += [f"- {name}: {value or 'unknown'}" for name, value in facts.items()]
    for name, part in parts.items():
        sound = "sound" if part["sound"] else "not sound"
        lines += ["", f"## {name}: {sound}, {part['seconds']:.0f} s", ""]
        if "failure" in part:
            lines += [part["failure"], ""]
        if part.get("rows"):
            lines += TABLES[name](part)
        if part.get("missed"):
            lines += ["", "Bars that are missed: " + "; ".join(part["missed"]) + "."]
    return "\n".join(lines) + "\n"


def ratio(ours, theirs):
    return f"{ours / theirs:.1f}" if ours and theirs else None


def plain(part):
    rows = part["rows"]
    head = list(next(iter(rows.values())))
    return table(["", *head], [(name, *row.values()) for name, row in rows.items()])


def kernels(part):
    rows = part["rows"]
    return kernel_table(list(rows.values()), "cuda") + ["", *bar_table(rows)]


def training(part):
    """Images per second, and ours over each peer's of the same precision."""
    contenders = list(next(iter(part["rows"].values())))
    peers = [name for name in contenders if not name.startswith("drape")]
    head = ["images/s", *contenders, *(f"times {name}" for name in peers)]
    rows = []
    for system, row in part["rows"].items():
        speeds = (row[name] and round(row[name]) for name in contenders)
        ours = {name: row["drape, bf16" if "bf16" in name else "drape"] for name in peers}
        ratios = (ratio(ours[name], row[name]) for name in peers)
        rows.append((system, *speeds, *ratios))
    return table(head, rows)


def to_accuracy(part):
    return accuracy_table(list(part["rows"].values()))


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
    "comparison": plain,
    "to_accuracy": to_accuracy,
    "accuracy": accuracy,
}
