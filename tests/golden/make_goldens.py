"""Writes the golden files here: the answers of PyTorch, torchvision and ONNX in float64.

usage: python3 make_goldens.py [NAME ...]        NAME: a file without .json; default: all
needs: numpy torch torchvision onnx

Each file is {"made_by": versions, "cases": [...]}. An array is {"shape": [...], "data": [...]} in
our layouts, and its numbers read back to the same bits. The files are committed: tests need no
Python.
"""

import json
import sys
from pathlib import Path

import numpy
import onnx
import torch
import torchvision

import convolutions
import curves
import layers
import philox
from layouts import dumped

GOLDENS = {
    "philox": philox.golden,
    "conv2d": convolutions.conv2d,
    "deform_conv2d": convolutions.deform_conv2d,
    "batch_norm": layers.batch_norm,
    "pooling": layers.pooling,
    "losses": layers.losses,
    "optimizers": layers.optimizers,
    "curves": curves.curves,
}


def write(name):
    made_by = {module.__name__: module.__version__ for module in (numpy, torch, torchvision, onnx)}
    cases = ",\n".join(json.dumps(dumped(case), allow_nan=False) for case in GOLDENS[name]())
    path = Path(__file__).with_name(name + ".json")
    path.write_text(f'{{"made_by": {json.dumps(made_by)}, "cases": [\n{cases}\n]}}\n')
    print(f"{path.name}: {path.stat().st_size} bytes")


def main():
    names = sys.argv[1:] or list(GOLDENS)
    unknown = [name for name in names if name not in GOLDENS]
    if unknown:
        raise SystemExit(f"make_goldens: expected one of {', '.join(GOLDENS)}, got {unknown[0]}")
    torch.set_num_threads(1)  # so that the bits do not depend on the machine's cores
    for name in names:
        write(name)


if __name__ == "__main__":
    main()
