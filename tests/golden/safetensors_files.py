"""Writes types.safetensors and pytorch.safetensors here, by Python's safetensors package.

usage: python3 safetensors_files.py
needs: torch torchvision safetensors

types: one tensor of each type that is read, named after it. pytorch: the state of a small network
of deformable convolutions with batch norm, named as in bench/peers/torch_systems.py, images "x"
and its answer "logits". The files are committed: tests need no Python.
"""
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn
from torchvision.ops import DeformConv2d

HERE = Path(__file__).parent


class Net(nn.Module):
    """Images [N,1,8,8]; 2 and 3 filters, flattened 2x2 images of 3 channels, 5 units, 4 classes."""

    def __init__(self):
        super().__init__()
        widths = ((1, 2), (2, 3))
        self.convs = nn.ModuleList(DeformConv2d(a, b, 3, padding=1) for a, b in widths)
        self.offs = nn.ModuleList(nn.Conv2d(a, 18, 3, padding=1) for a, b in widths)
        self.bns = nn.ModuleList([nn.BatchNorm2d(2), nn.BatchNorm2d(3)])
        self.fc1, self.fc2 = nn.Linear(3 * 2 * 2, 5), nn.Linear(5, 4)

    def forward(self, x):
        for conv, off, bn in zip(self.convs, self.offs, self.bns):
            x = F.max_pool2d(F.relu(bn(conv(x, off(x)))), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


def pytorch():
    torch.manual_seed(0)
    net = Net()
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
