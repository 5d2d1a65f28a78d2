"""PyTorch's and torchvision's kernels at the sizes of bench_kernels, on a GPU, in float32.

usage: torch_kernels.py [--repeats N]

TF32 is off. One JSON object a line: {"name": row of bench_kernels, "us": median microseconds of a
call}. Calls are timed 20 in a row between two events, as bench_kernels does.
"""

import argparse
import json
import statistics

import torch
import torch.nn.functional as F
from torchvision.ops import deform_conv2d

CALLS = 20


def microseconds(run, repeats):
    for _ in range(3):
        run()
    times = []
    for _ in range(repeats):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(CALLS):
            run()
        end.record()
        end.synchronize()
        times.append(1e3 * start.elapsed_time(end) / CALLS)
    return statistics.median(times)


def randn(*shape):
    return torch.randn(shape, device="cuda", requires_grad=True)


def conv2d(n, c, k, size, dilation=1):
    x, w, b = randn(n, c, size, size), randn(k, c, 3, 3), randn(k)
    x = x.detach().to(memory_format=torch.channels_last).requires_grad_()
    return (x, w, b), lambda: F.conv2d(x, w, b, padding=dilation, dilation=dilation)


def deformable(n, c, k, size):
    x, offset, w, b = randn(n, c, size, size), randn(n, 18, size, size), randn(k, c, 3, 3), randn(k)
    return (x, offset, w, b), lambda: deform_conv2d(x, offset, w, b, padding=1)


def batch_norm_relu():
    x, gamma, beta = randn(64, 32, 28, 28), randn(32), randn(32)
    x = x.detach().to(memory_format=torch.channels_last).requires_grad_()
    return (x, gamma, beta), lambda: F.relu(F.batch_norm(x, None, None, gamma, beta, training=True))


def max_pool():
    x = randn(64, 32, 28, 28).detach().to(memory_format=torch.channels_last).requires_grad_()
    return (x,), lambda: F.max_pool2d(x, 2)


def linear_relu():
    x, w, b = randn(64, 3136), randn(128, 3136), randn(128)
    return (x, w, b), lambda: F.relu(F.linear(x, w, b))


def rows():
    """Row of the op table and size -> (inputs, call)."""
    for n, c, k, size in ((64, 32, 64, 14), (64, 64, 128, 7), (64, 128, 256, 7), (8, 256, 256, 56)):
        yield f"conv2d, relu/{{}}/n{n}_c{c}_k{k}_{size}x{size}", conv2d(n, c, k, size)
    yield "conv2d, dilated/{}/n64_c32_k64_14x14", conv2d(64, 32, 64, 14, dilation=2)
    for n, c, k, size in ((32, 32, 64, 14), (64, 32, 64, 14), (64, 1, 32, 28), (8, 256, 256, 56)):
        yield f"deform_conv2d/{{}}/n{n}_c{c}_k{k}_{size}x{size}", deformable(n, c, k, size)
    yield "batch_norm, relu/{}/[64,28,28,32]", batch_norm_relu()
    yield "max_pool2d/{}/[64,28,28,32]", max_pool()
    yield "linear, relu/{}/n64_c3136_k128", linear_relu()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.manual_seed(0)
    for name, (inputs, call) in rows():
        with torch.no_grad():
            forward = microseconds(call, arguments.repeats)
        y = call()
        dy = torch.randn_like(y)
        backward = microseconds(
            lambda: torch.autograd.grad(y, inputs, dy, retain_graph=True), arguments.repeats
        )
        for direction, us in (("forward", forward), ("backward", backward)):
            print(json.dumps({"name": name.format(direction), "us": us}), flush=True)


if __name__ == "__main__":
    main()
