"""The bars of kernels on a GPU, and what a run of kernel_peers.py says of them."""

from markdown import table

DEFORMABLE = "deform_conv2d/{}/n256_c32_k64_14x14"
DETECTION = "deform_conv2d/{}/n8_c256_k256_56x56"
CHAIN = "batch_norm, relu, dropout/{}/[64,28,28,32]"
FORWARD, BOTH = ("forward",), ("forward", "backward")
AS_CALLED, ALONE = "seconds", "warm"
TIMES = (  # (row, directions, figure, peer, how many times as fast)
    (DEFORMABLE, FORWARD, AS_CALLED, "torchvision", 10),
    (DEFORMABLE, FORWARD, ALONE, "torchvision", 4),
    (DEFORMABLE, BOTH, AS_CALLED, "torchvision", 6),
    (DEFORMABLE, BOTH, ALONE, "torchvision", 6),
    (DETECTION, FORWARD, AS_CALLED, "torchvision", 5),
    (DETECTION, BOTH, AS_CALLED, "torchvision", 3),
    (CHAIN, BOTH, AS_CALLED, "channels_last", 2.2),
    (CHAIN, BOTH, ALONE, "channels_last", 2.2),
    (CHAIN, BOTH, AS_CALLED, "channels_last, compiled", 1.3),
    (CHAIN, BOTH, ALONE, "channels_last, compiled", 1.3),
)
CHAIN_SHARE, KERNEL_SHARE = 0.8, 0.7  # of a kernel's limit, on the device with a cold cache
VENDOR = ("linear",)  # products of the vendor's library
OF_A_ROW = {  # as called
    row.format("forward"): bar
    for row, directions, figure, _, bar in TIMES
    if directions == FORWARD and figure == AS_CALLED
}
ROWS = {row.format(direction) for row, directions, *_ in TIMES for direction in directions}


def total(rows, figure):
    """The sum of a figure over rows; None if one lacks it."""
    values = [row.get(figure) for row in rows]
    return None if None in values else sum(values)


def seen(rows, row, directions, figure, peer):
    """How many times as fast as the peer; None if it was not measured."""
    ours = [rows.get(row.format(direction), {}) for direction in directions]
    theirs = [each.get("peers", {}).get(peer, {}) for each in ours]
    ours, theirs = total(ours, figure), total(theirs, figure)
    return theirs / ours if ours and theirs else None


def verdicts(rows):
    """(what, the bar, what was seen of it or None, whether it is missed) for every bar."""
    for row, directions, figure, peer, bar in TIMES:
        what = row.format(" and ".join(directions))
        what += ", as called" if figure == AS_CALLED else ", on the device"
        found = seen(rows, row, directions, figure, peer)
        shown = found and f"{found:.2f}"
        yield f"{what}: times {peer}", bar, shown, found is not None and found < bar
    for name, row in rows.items():
        if not name.startswith(VENDOR):
            found = row["share of limit"]
            bar = CHAIN_SHARE if name in map(CHAIN.format, BOTH) else KERNEL_SHARE
            yield f"{name}: share of its limit", f"{bar:.0%}", f"{found:.0%}", found < bar


def bar_table(rows):
    lines = (
        (what, bar, shown or "not measured", "missed" if missed else shown and "met")
        for what, bar, shown, missed in verdicts(rows)
    )
    return table(["bar", "at least", "seen", ""], lines)
