"""Writes the seeds of the fuzz targets, corpus/TARGET/NAME.seed: small files of all that is read.

usage: python3 make_corpus.py
"""

import gzip
import json
import struct
import zlib
from pathlib import Path


def idx(*shape):
    count = 1
    for extent in shape:
        count *= extent
    header = bytes((0, 0, 8, len(shape))) + struct.pack(f">{len(shape)}I", *shape)
    return header + bytes(range(count))


def png(width, height, depth, colour, interlaced=0, before=()):
    """A PNG of zeros; colour: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA."""

    def chunk(kind, data):
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    rows = (bytes(1 + (width * depth * channels + 7) // 8)) * height
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    chunks = [(b"IHDR", header), *before, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in chunks)


def safetensors(tensors, metadata=None):
    header, data = {} if metadata is None else {"__metadata__": metadata}, b""
    for name, (dtype, shape, content) in tensors.items():
        offsets = [len(data), len(data) + len(content)]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
        data += content
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + data


def training_state():
    streams = {"shuffling": 1 << 48, "mixing": 3 << 48, "augmenting": 6 << 48}
    progress = {"step": 3, "loss_sum": 1.5, "images": 4, "correct": 2, "streams": 9}
    best = {"best_epoch": 1, "best_value": 0.25, "waited": 0}
    totals = {"trained_images": 8, "training_seconds": 0.5, "seconds": 1.0}
    state = {
        "device": "cpu",
        "epoch": 2,
        **progress,
        "seed": 7,
        **streams,
        "epoch_seconds": 0.5,
        **best,
        **totals,
    }
    record = struct.pack("<6d", 1e-3, 1.0, 0.5, 1.25, 0.25, 0.5)
    metadata = {
        "kind": "drape training state 1",
        "run": json.dumps({"lr": "0.001"}),
        "state": json.dumps(state),
    }
    tensors = {"model.b": ("F32", [2], bytes(8)), "history": ("F64", [1, 6], record)}
    return safetensors(tensors, metadata)


TARGETS = {
    "config": {
        "numbers": b"# a\nepochs=7\nlr = 0.25\n; and\nseed=12345678901234567\nclip-norm=1e-1",
        "words": b'optimizer="adamw"\nout=\'a b\'\nprotocol = published\ndevice="cpu"\n',
        "flags": b"mirror=true\nquiet=off\ntensorboard=1\n",
        "structures": b"epochs=[7,8]\n[section]\nseed=1\n[section.part]\nb={1 2}\n[]\n",
    },
    "idx": {
        "vector": idx(3),
        "images": idx(2, 3, 4),
        "none": idx(5, 0),
        "compressed": gzip.compress(idx(2, 3, 4), mtime=0),
    },
    "gzip": {
        "member": gzip.compress(b"one", mtime=0),
        "members": gzip.compress(b"one", mtime=0) + gzip.compress(b"two", mtime=0),
        "bomb": gzip.compress(bytes(100_000), mtime=0),
    },
    "images": {
        "grey": png(3, 2, 8, 0),
        "bits": png(9, 2, 1, 0),
        "deep": png(2, 2, 16, 0),
        "alpha": png(2, 2, 8, 4),
        "colour": png(2, 2, 8, 2),
        "rgba": png(2, 2, 16, 6),
        "interlaced": png(9, 9, 4, 0, 1),
        "tall": png(1, 1_500, 8, 0),
        "wide": png(458_760, 2, 1, 0),
        "palette": png(4, 2, 2, 3, 0, [(b"PLTE", bytes(12)), (b"tRNS", bytes(4))]),
        "described": png(
            2, 2, 8, 0, 0, [(b"gAMA", bytes((0, 0, 177, 143))), (b"tEXt", b"Title\0grey")]
        ),
        "idx": idx(2, 3, 4),
        "one": idx(3, 4),
        "compressed": gzip.compress(idx(2, 3, 4), mtime=0),
    },
    "weights": {
        "empty": safetensors({}),
        "two": safetensors({"weight": ("F32", [1, 2], bytes(8)), "bias": ("F64", [1], bytes(8))}),
        "types": safetensors(
            {
                name: (name, [1], bytes(size))
                for name, size in (("F16", 2), ("BF16", 2), ("U8", 1), ("I32", 4), ("I64", 8))
            }
        ),
        "metadata": safetensors(
            {"scalar": ("F32", [], bytes(4)), "none": ("F32", [0, 3], b"")},
            {"layout": "NHWC", "note": "caf\u00e9", "sha256": "0" * 64},
        ),
    },
    "training_state": {"state": training_state()},
}


def main():
    for target, seeds in TARGETS.items():
        folder = Path(__file__).parent / "corpus" / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in seeds.items():
            (folder / f"{name}.seed").write_bytes(content)


if __name__ == "__main__":
    main()
