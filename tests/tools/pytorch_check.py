#!/usr/bin/env python3
"""What PyTorch makes of weights in its layout, beside drape's own answers.

usage: pytorch_check.py BIN_FOLDER [--epochs N]

Trains every system for a moment on drawn garments, exports it with --layout pytorch, loads that
into the same network in PyTorch, and compares the log-probabilities of 50 images. Then
writes the network by Python's safetensors, and drape must predict the same from that file as from
its own. Needs torch, torchvision, safetensors and numpy. Exit code 1 if one differs by more than
1e-4.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "golden"))
from pytorch_network import SYSTEMS, Net  # noqa: E402

PROGRAMS = {
    "dilated2": ["dilated", "--dilation", "2"],
    "dilated10": ["dilated", "--dilation", "10"],
}
TOLERANCE = 1e-4


def predictions(folder, weights, images):
    command = [folder / "drape", "predict", weights, images, "--format", "json", "--top", "10"]
    said = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    ours = numpy.zeros((len(said), 10))
    for row, image in zip(ours, said):
        for one in image["classes"]:
            row[one["class"]] = one["probability"]
    return ours


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bin", type=Path)
    parser.add_argument("--epochs", default="2")
    arguments = parser.parse_args()
    worst, same = 0.0, True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pixels = numpy.random.default_rng(0).integers(0, 256, (50, 28, 28), dtype=numpy.uint8)
        images = folder / "images-ubyte"
        idx = bytes((0, 0, 8, 3)) + b"".join(n.to_bytes(4, "big") for n in pixels.shape)
        images.write_bytes(idx + pixels.tobytes())
        x = torch.from_numpy(pixels).float().div(255).unsqueeze(1)
        for system, options in SYSTEMS.items():
            program = PROGRAMS.get(system, [system.removesuffix("_mixup")])
            train = [arguments.bin / program[0], *program[1:]]
            train += ["--mixup", "1"] if system.endswith("_mixup") else []
            train += ["--synthetic", "--limit", "600", "--epochs", arguments.epochs, "--quiet"]
            subprocess.run([*train, "--out", folder / "out"], check=True)
            weights = folder / "out" / system / "seed0" / "weights.safetensors"
            target, again = folder / f"{system}.safetensors", folder / f"{system}_again.safetensors"
            export = [arguments.bin / "drape", "export", weights, target, "--layout", "pytorch"]
            subprocess.run(export, check=True)
            net = Net(**options).eval()
            net.load_state_dict(load_file(target))
            ours = predictions(arguments.bin, weights, images)
            with torch.no_grad():
                theirs = torch.log_softmax(net(x).double(), 1).numpy()
            seen = ours > 1e-30
            difference = abs(theirs - numpy.log(numpy.where(seen, ours, 1)))[seen].max()
            worst = max(worst, difference)
            with safe_open(target, "pt") as file:
                metadata = {key: text for key, text in file.metadata().items() if key != "sha256"}
            save_file(net.state_dict(), again, metadata)
            returns = numpy.array_equal(predictions(arguments.bin, again, images), ours)
            same = same and returns and difference <= TOLERANCE  # NaN is not
            print(
                f"{system}: largest difference of a log-probability {difference:.1e}, back here "
                f"{'the same' if returns else 'NOT the same'} answers",
                flush=True,
            )
    return 0 if same and worst <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
