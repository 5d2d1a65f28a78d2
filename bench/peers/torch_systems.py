"""The eight systems in PyTorch + torchvision: the peer that drape's training is measured against.

usage: torch_systems.py MODEL ... [--epochs N] [--batch B] [--channels-last] [--compile] ...

One line per epoch: model, epoch, seconds and images/s of training, training loss, test accuracy.
"""

import argparse
import functools
import gzip
import json
import math
import os
import struct
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torchvision.ops import DeformConv2d

CLASSES = 10
SYSTEMS = {  # arguments of Net, and MixUp's alpha (0: no mixing)
    "standard": (dict(), 0.0),
    "deep": (dict(widths=(32, 64, 128, 256)), 0.0),
    "dilated2": (dict(dilation=2), 0.0),
    "dilated10": (dict(dilation=10), 0.0),
    "deformable": (dict(deformable=True), 0.0),
    "enhanced": (dict(deformable=True, batch_norm=True, drop=0.3), 0.0),
    "standard_mixup": (dict(), 1.0),
    "deformable_mixup": (dict(deformable=True), 1.0),
}


class DeformableConv(nn.Module):
    """3x3; an ordinary convolution, zero at the start, predicts the offsets (Dai et al. 2017)."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.offset = nn.Conv2d(inputs, 18, 3, padding=1)
        nn.init.zeros_(self.offset.weight)
        nn.init.zeros_(self.offset.bias)
        self.conv = DeformConv2d(inputs, outputs, 3, padding=1)

    def forward(self, x):
        offset = self.offset(x)
        with torch.autocast(x.device.type, enabled=False):  # torchvision samples in f32
            return self.conv(x.float(), offset.float())


class Net(nn.Module):
    def __init__(self, widths=(32, 64), dilation=1, deformable=False, batch_norm=False, drop=0.0):
        super().__init__()
        layers = []
        for i, (inputs, outputs) in enumerate(zip((1, *widths), widths)):
            d = dilation if i == 1 else 1
            layers.append(
                DeformableConv(inputs, outputs)
                if deformable
                else nn.Conv2d(inputs, outputs, 3, padding=d, dilation=d)
            )
            layers += [nn.BatchNorm2d(outputs)] if batch_norm else []
            layers.append(nn.ReLU())
            layers += [nn.MaxPool2d(2)] if i < 2 else []  # the deep net keeps 7x7 from here on
        dropout = [nn.Dropout(drop)] if drop else []
        features = widths[-1] * 7 * 7
        self.layers = nn.Sequential(
            *layers,
            nn.Flatten(),
            *dropout,
            nn.Linear(features, 128),
            nn.ReLU(),
            *dropout,
            nn.Linear(128, CLASSES),
        )

    def forward(self, x):
        return self.layers(x)


def read_idx(path):
    data = gzip.decompress(path.read_bytes())
    rank = data[3]
    shape = struct.unpack(f">{rank}I", data[4 : 4 + 4 * rank])
    values = np.frombuffer(data, np.uint8, offset=4 + 4 * rank)
    return torch.from_numpy(values.reshape(shape).copy())


@functools.cache
def load(folder, part, device):
    """Images [N, 1, 28, 28] in [0, 1] and labels [N]."""
    images = read_idx(folder / f"{part}-images-idx3-ubyte.gz").float().div(255).unsqueeze(1)
    return images.to(device), read_idx(folder / f"{part}-labels-idx1-ubyte.gz").long().to(device)


def loss_of(net, x, y, alpha):
    if not alpha:
        return F.cross_entropy(net(x), y)
    target = F.one_hot(y, CLASSES).float()
    share = np.random.beta(alpha, alpha)
    partner = torch.randperm(len(x), device=x.device)
    x = share * x + (1 - share) * x[partner]
    target = share * target + (1 - share) * target[partner]
    return F.binary_cross_entropy_with_logits(net(x), target)


def train_epoch(net, optimizer, schedule, images, labels, batch, alpha, bf16, deadline):
    """The mean loss, or None: the deadline is past."""
    net.train()
    total = 0.0
    for index in torch.randperm(len(images), device=images.device).split(batch):
        optimizer.zero_grad()
        with torch.autocast(images.device.type, torch.bfloat16, enabled=bf16):
            loss = loss_of(net, images[index], labels[index], alpha)
        loss.backward()
        optimizer.step()
        schedule.step()
        total += loss.detach() * len(index)
        if time.perf_counter() > deadline:
            return None
    return float(total) / len(images)  # waits for the device


@torch.no_grad()
def accuracy(net, images, labels):
    net.eval()
    correct = sum(
        (net(x).argmax(1) == y).sum().item() for x, y in zip(images.split(500), labels.split(500))
    )
    return correct / len(images)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", choices=SYSTEMS)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--limit", type=int, default=60000, help="training images used")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--cosine", action="store_true", help="the rate falls to 0, as drape's")
    parser.add_argument("--target", type=float, default=2.0, help="accuracy that is enough")
    parser.add_argument(
        "--seconds", type=float, default=math.inf, help="a training that takes longer is broken off"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="default: PyTorch's")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--cuda-graphs", action="store_true", help="of what is compiled")
    parser.add_argument("--fused-adam", action="store_true")
    parser.add_argument("--search", action="store_true", help="of cuDNN's algorithms the fastest")
    parser.add_argument("--tf32", action="store_true", help="not for convolutions alone")
    parser.add_argument("--bf16", action="store_true", help="autocast, weights in f32")
    parser.add_argument("--no-eval", action="store_true")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("DRAPE_DATA"),
        help="folder of the four Fashion-MNIST files; default: $DRAPE_DATA",
    )
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("expected --data or DRAPE_DATA")
    arguments.data = Path(arguments.data)
    return arguments


def report(record, as_json):
    if as_json:
        print(json.dumps(record), flush=True)
        return
    test = "" if record["accuracy"] is None else f" test {record['accuracy']:.2%}"
    print(
        "{model} epoch {epoch} {seconds:.2f}s {images_per_second:.0f} img/s loss {loss:.4f}".format(
            **record
        )
        + test,
        flush=True,
    )


def train(model, arguments):
    torch.manual_seed(arguments.seed)
    np.random.seed(arguments.seed)
    options, alpha = SYSTEMS[model]
    net = Net(**options).to(arguments.device)
    images, labels = load(arguments.data, "train", arguments.device)
    images, labels = images[: arguments.limit], labels[: arguments.limit]
    test_images, test_labels = load(arguments.data, "t10k", arguments.device)
    if arguments.channels_last:
        net, images, test_images = (
            item.to(memory_format=torch.channels_last) for item in (net, images, test_images)
        )
    fused = arguments.fused_adam or None  # None: PyTorch's own choice
    optimizer = torch.optim.Adam(net.parameters(), lr=arguments.lr, fused=fused)
    steps = arguments.epochs * -(-len(images) // arguments.batch)
    schedule = (
        torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        if arguments.cosine
        else torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0)
    )
    if arguments.compile:
        net = torch.compile(net, mode="reduce-overhead" if arguments.cuda_graphs else "default")
    begin = time.perf_counter()
    for epoch in range(1, arguments.epochs + 1):
        start = time.perf_counter()
        loss = train_epoch(
            net,
            optimizer,
            schedule,
            images,
            labels,
            arguments.batch,
            alpha,
            arguments.bf16,
            begin + arguments.seconds,
        )
        if loss is None:
            break
        seconds = time.perf_counter() - start
        test = None if arguments.no_eval else accuracy(net, test_images, test_labels)
        report(
            dict(
                model=model,
                epoch=epoch,
                seconds=seconds,
                images_per_second=len(images) / seconds,
                loss=loss,
                accuracy=test,
                elapsed=time.perf_counter() - begin,
            ),
            arguments.json,
        )
        if test is not None and test >= arguments.target:
            break


def main():
    arguments = parse_arguments()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    if arguments.tf32:
        torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = arguments.search
    for model in arguments.models:
        torch.compiler.reset()
        train(model, arguments)


if __name__ == "__main__":
    main()
