"""Writes types.safetensors and pytorch.safetensors here, by Python's safetensors package.

usage: python3 safetensors_files.py
needs: torch torchvision safetensors

types: one tensor of each type that is read, named after it. pytorch: the state of a small network
of deformable convolutions with batch norm, images "x" and its answer "logits". The files are
committed: tests need no Python.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file

from pytorch_network import Net

HERE = Path(__file__).parent


def pytorch():
    torch.manual_seed(3)
    net = Net((2, 3), deformable=True, batch_norm=True, side=8, hidden=5, classes=4)
    for _ in range(3):  # so that the statistics are some
        net(torch.randn(8, 1, 8, 8))
    net.eval()
    x = torch.rand(3, 1, 8, 8)
    with torch.no_grad():
        tensors = {**net.state_dict(), "x": x, "logits": net(x)}
    save_file(tensors, HERE / "pytorch.safetensors", {"layout": "NCHW"})


def types():
    common = [0.0, -0.0, 1.0, -2.5, 0.1, 1 / 3, float("inf"), -float("inf"), float("nan")]
    halves = [65504.0, 6.1035e-05, 6e-08, -5.9e-05, *common]
    brains = [3e38, 1e-38, 1e-40, -9e-41, *common]
    extremes = [-(2**31), -1, 2**31 - 1]
    tensors = {
        "F32": torch.tensor([[0.1, -2.5], [1e-38, 3e38]]),
        "F64": torch.tensor([0.1, -1e300, 5e-324], dtype=torch.float64),
        "F16": torch.tensor(halves, dtype=torch.float16),
        "BF16": torch.tensor(brains, dtype=torch.bfloat16),
        "U8": torch.tensor([0, 7, 255], dtype=torch.uint8),
        "I32": torch.tensor(extremes, dtype=torch.int32),
        "I64": torch.tensor(extremes, dtype=torch.int64),
        "scalar": torch.tensor(4.0),
        "nothing": torch.zeros(0, 3),
    }
    for narrow in ("F16", "BF16"):
        tensors[narrow + " as F32"] = tensors[narrow][:-1].float()
    save_file(tensors, HERE / "types.safetensors", {"made_by": "safetensors"})


if __name__ == "__main__":
    types()
    pytorch()
