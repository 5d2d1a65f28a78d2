"""growth.py's points as one self-contained SVG: small multiples, both axes logarithmic."""

import math
from xml.sax.saxutils import escape

PANEL, GAP = (250, 170), (74, 66)  # width and height, in pixels
COLOURS = {"conv": "#2f7ed8", "deform": "#d9662b"}  # readable on white and on black
DASHES = {1: "4 3", 2: "none"}  # by threads
GREY = "#808080"


def decades(low, high):
    return range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)


def label(value, cost):
    if cost == "time":
        units = ((1, "s"), (1e-3, "ms"), (1e-6, "µs"))
    else:
        units = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
    scale, unit = next((each for each in units if value >= each[0] * 0.999), units[-1])
    return f"{value / scale:g} {unit}"


class Panel:
    """One cost over one axis."""

    def __init__(self, left, top, xs, ys):
        self.left, self.top = left, top
        self.x = math.log10(min(xs)), math.log10(max(xs))
        exponents = decades(min(ys), max(ys))
        self.y = exponents[0], max(exponents[-1], exponents[0] + 1)

    def at(self, x, y):
        across = (math.log10(x) - self.x[0]) / (self.x[1] - self.x[0])
        up = (math.log10(y) - self.y[0]) / (self.y[1] - self.y[0])
        return self.left + across * PANEL[0], self.top + (1 - up) * PANEL[1]

    def path(self, points):
        return "M" + "L".join("{:.1f} {:.1f}".format(*self.at(*point)) for point in points)

    def draw(self, title, axis, cost, series):
        left, top, right, bottom = self.left, self.top, self.left + PANEL[0], self.top + PANEL[1]
        yield f'<text x="{left}" y="{top - 10}" class="title">{escape(title)}</text>'
        for power in range(self.y[0], self.y[1] + 1):
            _, y = self.at(10 ** self.x[0], 10.0**power)
            yield f'<path d="M{left} {y:.1f}H{right}" class="grid"/>'
            text = label(10.0**power, cost)
            yield f'<text x="{left - 6}" y="{y + 4:.1f}" class="end">{text}</text>'
        for value in sorted({x for points in series.values() for x, _ in points}):
            x, _ = self.at(value, 10.0 ** self.y[0])
            yield f'<path d="M{x:.1f} {bottom}v4" class="tick"/>'
            yield f'<text x="{x:.1f}" y="{bottom + 17}" class="middle">{value}</text>'
        yield f'<text x="{(left + right) / 2}" y="{bottom + 33}" class="middle">{axis}</text>'
        # What grows in proportion: a thin line through the last point of the first series.
        (x0, _), (x1, y1) = (next(iter(series.values()))[i] for i in (0, -1))
        slope_y = max(y1 * x0 / x1, 10.0 ** self.y[0])
        slope_x = x1 * slope_y / y1
        yield f'<path d="{self.path([(slope_x, slope_y), (x1, y1)])}" class="slope"/>'
        for (network, threads), points in series.items():
            style = f'stroke="{COLOURS[network]}" stroke-dasharray="{DASHES.get(threads, "1 2")}"'
            yield f'<path d="{self.path(points)}" class="line" {style}/>'
            for point in points:
                x, y = self.at(*point)
                yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{COLOURS[network]}"/>'


STYLE = f"""
text {{ font: 12px sans-serif; fill: {GREY}; }}
.title {{ font-weight: bold; }}
.end {{ text-anchor: end; }}
.middle {{ text-anchor: middle; }}
.grid {{ stroke: {GREY}; stroke-opacity: 0.3; }}
.tick {{ stroke: {GREY}; }}
.slope {{ stroke: {GREY}; stroke-dasharray: 1 3; fill: none; }}
.line {{ fill: none; stroke-width: 1.8; }}
"""


def legend(top):
    x = GAP[0]
    for network, colour in COLOURS.items():
        for threads, dash in DASHES.items():
            style = f'stroke="{colour}" stroke-dasharray="{dash}"'
            yield f'<path d="M{x} {top}h26" class="line" {style}/>'
            plural = "s" if threads > 1 else ""
            yield f'<text x="{x + 32}" y="{top + 4}">{network}, {threads} thread{plural}</text>'
            x += 156
    yield f'<path d="M{x} {top}h26" class="slope"/>'
    yield f'<text x="{x + 32}" y="{top + 4}">in proportion</text>'


def svg(found, costs):
    """found: {axis: {network: {threads: [row]}}}; costs: {cost: (figure, unit, work)}"""
    parts = []
    for column, (axis, networks) in enumerate(found.items()):
        for row, (cost, (figure, _, _)) in enumerate(costs.items()):
            series = {
                (network, threads): [(point[axis], point[figure]) for point in rows]
                for network, by_threads in networks.items()
                for threads, rows in by_threads.items()
            }
            values = [point for points in series.values() for point in points]
            left = GAP[0] + column * (PANEL[0] + GAP[0])
            top = 40 + row * (PANEL[1] + GAP[1])
            panel = Panel(left, top, *zip(*values))
            parts += panel.draw(f"{cost} of a step by {axis}", axis, cost, series)
    width = len(found) * (PANEL[0] + GAP[0]) + 30
    height = 40 + len(costs) * (PANEL[1] + GAP[1]) + 20
    parts += legend(height - 18)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
    head += ' aria-label="Cost of a training step by batch, image size and channels">'
    return "\n".join([head, f"<style>{STYLE}</style>", *parts, "</svg>"]) + "\n"
