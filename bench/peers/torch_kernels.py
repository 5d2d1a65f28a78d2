"""PyTorch's and torchvision's answer to the rows of bench_kernels, in float32.

usage: torch_kernels.py [--device D] [--threads T] [--seconds S] [--tf32]

Reads the name of a row a line and answers with a line of JSON: {configuration: {"seconds", "noise"
and, on a GPU, "warm", "cold"}}, or {} where PyTorch has nothing like it or fails. What is timed,
and how, is what bench/measure.cpp times.
"""

import argparse
import functools
import json
import math
import re
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torchvision.ops import deform_conv2d

CALLS = 20  # in a row, on a GPU
SCRUB_BYTES = 256 << 20
FEWEST, MOST = 5, 1000  # samples


class Clock:
    """Wall times of calls, and what they take of the device alone."""

    def __init__(self, arguments):
        self.device, self.seconds = arguments.device, arguments.seconds
        self.gpu = self.device != "cpu"
        if self.gpu:
            self.block = torch.zeros(SCRUB_BYTES, dtype=torch.uint8, device=self.device)
            self.fill = min(self.of(lambda: self.fills(16)) for _ in range(5)) / 16

    def of(self, work):
        if self.gpu:
            torch.cuda.synchronize()
        start = time.perf_counter()
        work()
        if self.gpu:
            torch.cuda.synchronize()
        return time.perf_counter() - start

    def fills(self, count):
        for _ in range(count):
            self.block.zero_()

    def samples(self, sample):
        start, all_samples = time.perf_counter(), []
        while len(all_samples) < FEWEST or (
            len(all_samples) < MOST and time.perf_counter() - start < self.seconds
        ):
            all_samples.append(sample())
        quartiles = statistics.quantiles(all_samples, n=4)
        return statistics.median(all_samples), 0.5 * (quartiles[2] - quartiles[0])

    def called(self, ready, call):
        calls = CALLS if self.gpu else 1
        ready(calls)
        return self.of(lambda: [call(i) for i in range(calls)]) / calls

    def alone(self, ready, call, head_start, cold):
        def work():
            self.fills(head_start)
            for i in range(CALLS):
                self.fills(cold)
                call(i)

        ready(CALLS)
        seconds = self.of(work)
        return (seconds - self.of(lambda: self.fills(head_start + cold * CALLS))) / CALLS

    def times(self, ready, call):
        for _ in range(3):  # to warm up and to compile
            self.called(ready, call)
        median, spread = self.samples(lambda: self.called(ready, call))
        result = {"seconds": median, "noise": spread / median}
        if self.gpu:
            head_start = 2 + math.ceil(2 * CALLS * median / self.fill)
            for name, cold in (("warm", 0), ("cold", 1)):
                alone, _ = self.samples(lambda: self.alone(ready, call, head_start, cold))
                result[name] = alone
        return result


class Peers:
    """Builds (inputs, function) of an op at the size that its label tells."""

    def __init__(self, device):
        self.device = device

    def randn(self, *shape):
        return torch.randn(shape, device=self.device, requires_grad=True)

    def images(self, n, h, w, c):
        x = self.randn(n, c, h, w).detach().to(memory_format=torch.channels_last)
        return x.requires_grad_()

    def conv2d(self, size, dilation=1, relu=False, pool=False):
        n, c, k, h, w = size
        weight = self.images(k, 3, 3, c)  # in the layout of x, or it is laid out anew every time
        inputs = self.images(n, h, w, c), weight, self.randn(k)

        def function():
            y = F.conv2d(*inputs, padding=dilation, dilation=dilation)
            y = F.relu(y) if relu else y
            return F.max_pool2d(y, 2) if pool else y

        return {"channels_last": (inputs, function)}

    def deformable(self, size):
        n, c, k, h, w = size
        x, offset = self.randn(n, c, h, w), self.randn(n, 18, h, w)
        weight, b = self.randn(k, c, 3, 3), self.randn(k)
        return {
            "torchvision": (
                (x, offset, weight, b),
                lambda: deform_conv2d(x, offset, weight, b, padding=1),
            )
        }

    def normalised(self, size, drop=0.0):
        x, gamma, beta = self.images(*size), self.randn(size[3]), self.randn(size[3])

        def function():
            y = F.relu(F.batch_norm(x, None, None, gamma, beta, training=True))
            return F.dropout(y, drop) if drop else y

        inputs = x, gamma, beta
        return {
            "channels_last": (inputs, function),
            "channels_last, compiled": (inputs, torch.compile(function)),
        }

    def elementwise(self, size, function):
        x = self.images(*size) if len(size) == 4 else self.randn(*size)
        return {"channels_last" if len(size) == 4 else "eager": ((x,), lambda: function(x))}

    def linear(self, size, relu=False):
        n, c, k = size
        x, w, b = self.randn(n, c), self.randn(k, c), self.randn(k)
        function = (lambda: F.relu(F.linear(x, w, b))) if relu else (lambda: F.linear(x, w, b))
        return {"eager": ((x, w, b), function)}

    def loss(self, size, function):
        x, targets = self.randn(*size), torch.full(size, 0.1, device=self.device)
        return {"eager": ((x,), lambda: function(x, targets))}

    def adam(self, size):
        configurations = {}
        for name, options in (("eager", {}), ("fused", {"fused": True})):
            w = self.randn(*size)
            w.grad = torch.randn_like(w)
            configurations[name] = ((), torch.optim.Adam([w], **options).step)
        return configurations

    def gather(self, size):
        n, h, w = size
        images = torch.randint(256, (6000, 1, h, w), dtype=torch.uint8, device=self.device)
        labels = torch.randint(10, (6000,), device=self.device)
        index, partner = (torch.randperm(count)[:n].to(self.device) for count in (6000, n))

        def function():
            x = images[index].float().div_(255)
            targets = F.one_hot(labels[index], 10).float()
            mixed = [0.3 * each + 0.7 * each[partner] for each in (x, targets)]
            return mixed[0]

        return {"eager": ((), function)}

    @functools.lru_cache(maxsize=1)  # asked for again and again, and slow to compile
    def build(self, op, size):
        builders = {
            "relu": lambda: self.elementwise(size, F.relu),
            "sigmoid": lambda: self.elementwise(size, torch.sigmoid),
            "dropout": lambda: self.elementwise(size, lambda x: F.dropout(x, 0.3)),
            "max_pool2d": lambda: self.elementwise(size, lambda x: F.max_pool2d(x, 2)),
            "avg_pool2d": lambda: self.elementwise(size, lambda x: F.avg_pool2d(x, 2)),
            "batch_norm, relu": lambda: self.normalised(size),
            "batch_norm, relu, dropout": lambda: self.normalised(size, 0.4),
            "linear": lambda: self.linear(size),
            "linear, relu": lambda: self.linear(size, relu=True),
            "conv2d": lambda: self.conv2d(size),
            "conv2d, relu": lambda: self.conv2d(size, relu=True),
            "conv2d, relu, pooled": lambda: self.conv2d(size, relu=True, pool=True),
            "conv2d, one channel": lambda: self.conv2d(size),
            "conv2d, dilated": lambda: self.conv2d(size, dilation=2),
            "conv2d, dilated by ten": lambda: self.conv2d(size, dilation=10),
            "deform_conv2d": lambda: self.deformable(size),
            "softmax_cross_entropy": lambda: self.loss(size, F.cross_entropy),
            "bce_with_logits": lambda: self.loss(size, F.binary_cross_entropy_with_logits),
            "adam_step": lambda: self.adam(size),
            "gather_batch, mixed": lambda: self.gather(size),
        }
        return builders[op]() if op in builders else {}


def forward(function):
    @torch.no_grad()
    def call(_):
        function()

    return lambda calls: None, call


def backward(inputs, function):
    dy, ys = torch.randn_like(function()), []

    def ready(calls):
        ys[:] = [function() for _ in range(calls)]

    def call(i):
        torch.autograd.grad(ys[i], inputs, dy)
        ys[i] = None

    return ready, call


def answer(name, peers, clock):
    op, *direction, label = name.split("/")
    size = tuple(int(number) for number in re.findall(r"\d+", label))
    result = {}
    for configuration, (inputs, function) in peers.build(op, size).items():
        try:
            timed = backward(inputs, function) if direction == ["backward"] else forward(function)
            result[configuration] = clock.times(*timed)
        except RuntimeError as failure:  # no memory, no compiler: the others may do
            print(f"{name}, {configuration}: {failure}", file=sys.stderr, flush=True)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, help="default: PyTorch's")
    parser.add_argument("--seconds", type=float, default=0.1, help="for each time")
    parser.add_argument("--tf32", action="store_true")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = arguments.tf32
    torch.backends.cudnn.benchmark = True  # sizes stay: its fastest algorithm
    torch.manual_seed(0)
    clock, peers = Clock(arguments), Peers(arguments.device)
    version = {"torch": torch.__version__, "threads": torch.get_num_threads()}
    print(json.dumps(version), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(line.rstrip("\n"), peers, clock)), flush=True)


if __name__ == "__main__":
    main()
