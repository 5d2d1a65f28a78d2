"""torchvision's deform_conv2d in float32, N=32, 32->64 channels, 14x14: the peer of drape's kernel.

usage: torch_deform_conv.py [--threads T] [--repeats N] [--device D]

Prints one JSON object: the median milliseconds of each direction, and every repeat. Offsets are
normal with deviation 1, so that every sample lies between pixels; no mask; padding 1.
"""
import argparse
import json
import statistics
import time

import torch
from torchvision.ops import deform_conv2d

N, C, K, SIZE = 32, 32, 64, 14


def milliseconds(run, repeats, device):
    """Wall time of each repeat, after three to warm up."""
    def synchronize():
        if device.startswith("cuda"):
            torch.cuda.synchronize()

    times = []
    for _ in range(repeats + 3):
        synchronize()
        start = time.perf_counter()
        run()
        synchronize()
        times.append(1e3 * (time.perf_counter() - start))
    return times[3:]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, help="default: PyTorch's")
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)

    x, offset, w, b = (torch.randn(shape, device=arguments.device, requires_grad=True) for shape in
                       [(N, C, SIZE, SIZE), (N, 18, SIZE, SIZE), (K, C, 3, 3), (K,)])
    y = deform_conv2d(x, offset, w, b, padding=1)
    dy = torch.randn_like(y)

    def forward():
        with torch.no_grad():
            deform_conv2d(x, offset, w, b, padding=1)

    def backward():
        torch.autograd.grad(y, (x, offset, w, b), dy, retain_graph=True)

    record = {"threads": torch.get_num_threads()}
    for direction, run in (("forward", forward), ("backward", backward)):
        times = milliseconds(run, arguments.repeats, arguments.device)
        record[direction] = {"milliseconds": statistics.median(times), "repeats": times}
    print(json.dumps(record))


if __name__ == "__main__":
    main()
