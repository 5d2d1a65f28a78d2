"""kernels/philox.h in numpy: Philox4x32-10 of Salmon et al. 2011, so that both sides draw alike."""

import numpy as np

LOW = np.uint64(0xFFFFFFFF)
SHIFT = np.uint64(32)
ALL_ONES = 2**64 - 1

# (seed, id, block) -> four words: known answers published by Random123, the authors' library.
KNOWN_ANSWERS = {
    (0, 0, 0): (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8),
    (ALL_ONES, ALL_ONES, ALL_ONES): (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    (0x299F31D0A4093822, 0x0370734413198A2E, 0x85A308D3243F6A88): (
        0xD16CFE09,
        0x94FDCCEB,
        0x5001E420,
        0x24126EA1,
    ),
}


def blocks(seed, stream, block):
    """The four words [len(block), 4] of each block of RandomStream{seed, stream}."""
    block = np.asarray(block, np.uint64)
    c0, c1 = block & LOW, block >> SHIFT
    c2 = np.full_like(block, stream & 0xFFFFFFFF)
    c3 = np.full_like(block, stream >> 32)
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c2 = (p1 >> SHIFT) ^ c1 ^ np.uint64(k0), (p0 >> SHIFT) ^ c3 ^ np.uint64(k1)
        c1, c3 = p1 & LOW, p0 & LOW
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=-1)


def words(seed, stream, count):
    """Elements 0 ... count-1 of the stream as 32-bit words."""
    return blocks(seed, stream, np.arange((count + 3) // 4)).reshape(-1)[:count]


def uniform(seed, stream, count):
    """Elements 0 ... count-1 of the stream in [0, 1), multiples of 2^-24."""
    return (words(seed, stream, count) >> np.uint64(8)).astype(np.float64) * 2.0**-24


def check_known_answers():
    for (seed, stream, block), expected in KNOWN_ANSWERS.items():
        got = tuple(int(word) for word in blocks(seed, stream, [block])[0])
        if got != expected:
            raise SystemExit(f"philox: expected {expected}, got {got}")


def golden():
    """{seed, id, block, words}: the known answers, then a few streams of ours."""
    check_known_answers()
    ours = [(2024, 0, 0), (2024, 1, 105000), (77, 1, 2**32), (2**63 + 5, 2**48 + 3, 2**40)]
    return [
        dict(seed=seed, id=stream, block=block, words=blocks(seed, stream, [block])[0].tolist())
        for seed, stream, block in [*KNOWN_ANSWERS, *ours]
    ]
