#!/usr/bin/env python3
"""What ONNX's reference evaluator or onnxruntime makes of exported models, beside drape's own.

usage: onnx_check.py BIN_FOLDER [--epochs N]

Trains every system for a moment on drawn garments, exports it, and compares the probabilities of 50
images; then does the same with the outputs of a modulated deformable layer with groups. Needs
Python's onnx, or onnxruntime, and numpy. Exit code 1 if one differs by more than 1e-4.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy

SYSTEMS = {
    "standard": ["standard"],
    "deep": ["deep"],
    "dilated2": ["dilated", "--dilation", "2"],
    "dilated10": ["dilated", "--dilation", "10"],
    "deformable": ["deformable"],
    "enhanced": ["enhanced"],
    "standard_mixup": ["standard", "--mixup", "1"],
    "deformable_mixup": ["deformable", "--mixup", "1"],
}
TOLERANCE = 1e-4


def evaluator(path):
    """images -> logits, by whichever of the two is here."""
    try:
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception:  # it is not here, or has no DeformConv on the CPU
        from onnx.reference import ReferenceEvaluator

        session = ReferenceEvaluator(str(path))
    return lambda x: session.run(None, {"x": x})[0]


def softmax(logits):
    exponentials = numpy.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bin", type=Path)
    parser.add_argument("--epochs", default="2")
    arguments = parser.parse_args()
    worst = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = numpy.random.default_rng(0).integers(0, 256, (50, 28, 28), dtype=numpy.uint8)
        idx = bytes((0, 0, 8, 3)) + b"".join(n.to_bytes(4, "big") for n in images.shape)
        (folder / "images-ubyte").write_bytes(idx + images.tobytes())
        for system, (program, *options) in SYSTEMS.items():
            train = [arguments.bin / program, *options, "--synthetic", "--limit", "600"]
            train += ["--epochs", arguments.epochs, "--quiet", "--out", folder / "out"]
            subprocess.run(train, check=True)
            weights = folder / "out" / system / "seed0" / "weights.safetensors"
            target = folder / f"{system}.onnx"
            subprocess.run([arguments.bin / "drape", "export", weights, target], check=True)
            predict = [arguments.bin / "drape", "predict", weights, folder / "images-ubyte"]
            predict += ["--format", "json", "--top", "10"]
            said = json.loads(subprocess.run(predict, check=True, capture_output=True).stdout)
            ours = numpy.zeros((len(said), 10))
            for row, image in zip(ours, said):
                for one in image["classes"]:
                    row[one["class"]] = one["probability"]
            x = images[:, None].astype(numpy.float32) / 255
            difference = abs(softmax(evaluator(target)(x).astype(numpy.float64)) - ours).max()
            print(f"{system}: largest difference of a probability {difference:.1e}", flush=True)
            worst = max(worst, difference)
        subprocess.run(
            [arguments.bin / "drape_tests", "write a modulated layer"],
            check=True,
            capture_output=True,
            env={**os.environ, "DRAPE_ONNX_FOLDER": str(folder)},
        )
        x = numpy.fromfile(folder / "modulated.x", numpy.float32).reshape(1, 4, 9, 8)
        y = numpy.fromfile(folder / "modulated.y", numpy.float32).reshape(1, 6, 7, 6)
        difference = abs(evaluator(folder / "modulated.onnx")(x) - y).max()
        print(f"modulated: largest difference of an output {difference:.1e}", flush=True)
        worst = max(worst, difference)
    return 0 if worst <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
