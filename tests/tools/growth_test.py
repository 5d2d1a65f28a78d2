"""bench/growth.py's fit on costs that are known, and its page and chart.

usage: growth_test.py FOLDER_OF_BENCH
"""

import sys
import xml.dom.minidom

sys.path.insert(0, sys.argv[1])
import growth  # noqa: E402
from growth_chart import svg  # noqa: E402


def row(batch, time_exponent):
    """A step of fixed costs and of a growing part; memory is linear."""
    return {
        "batch": batch,
        "seconds": 1e-4 + 1e-4 * batch**time_exponent,
        "memory": 1000 + 1000 * batch,
        "GFLOP a step": 1e-3 * batch,
        "elements a step": 10 + 100 * batch,
    }


def main():
    assert abs(growth.exponent([1, 2, 4, 8], [3, 12, 48, 192]) - 2) < 1e-9
    assert abs(growth.exponent([1, 10], [1, 10]) - 1) < 1e-9

    batches = [1, 4, 16, 64, 256, 1024]
    linear, worse = ([row(batch, exponent) for batch in batches] for exponent in (1.0, 1.3))
    found = {"batch": {"conv": {1: linear, 2: linear}, "deform": {1: linear, 2: worse}}}
    fits = list(growth.fits(found))
    flagged = [(fit["network"], fit["threads"], fit["cost"]) for fit in fits if fit["worse"]]
    assert flagged == [("deform", 2, "time")], fits

    page = growth.markdown(dict.fromkeys(("machine", "commit", "date"), "x"), found, fits)
    assert page.count("worse than its work") == 1, page
    xml.dom.minidom.parseString(svg(found, growth.COSTS))


if __name__ == "__main__":
    main()
