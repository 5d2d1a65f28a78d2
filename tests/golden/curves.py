"""The first 20 training steps of the eight systems in float64, from numbers both sides generate.

RandomStream{seed, id} is kernels/philox.h; u(i) is its uniform(i). Parameters are numbered 0, 1,
... in the order of the layers: weight, bias; of a deformable layer offset weight, offset bias,
weight, bias; then gamma, beta of its batch norm.
  parameter j  element i = (2 u(i) - 1) / sqrt(fan_in) of RandomStream{2024, j}, i in our layout:
               filters [K,R,S,C], linear [out, in], in = flattened (h,w,c).
               Offset layers start at 0, gamma at 1, beta at 0.
  batch k      4 images: pixel i = (word(i) >> 24) / 255 of RandomStream{77, k};
               label n = word(n) % 10 of RandomStream{78, k}
  step s       uses batch s % 2; Adam with lr 1e-3, betas 0.9 and 0.999, eps 1e-8
  dropout d    of step s (d = 0, 1) keeps element i iff u(i) >= p of RandomStream{79, 2 s + d}
  MixUp        lambda = (s + 1) / 21; the partner is the batch in reverse order

Weights changed by 1e-15 move the losses by 4e-15 and the sums by 1e-12, but for the convolution
biases of `enhanced`, which a batch norm follows: their gradient is rounding alone, and Adam's
division makes it 1e-9.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torchvision.ops import deform_conv2d

import philox

STEPS, BATCH, CLASSES = 20, 4, 10
DROP = 0.3

SYSTEMS = {
    "standard": dict(),
    "deep": dict(widths=(32, 64, 128, 256)),
    "dilated2": dict(dilation=2),
    "dilated10": dict(dilation=10),
    "deformable": dict(deformable=True),
    "enhanced": dict(deformable=True, regularised=True),
    "standard_mixup": dict(mixup=True),
    "deformable_mixup": dict(deformable=True, mixup=True),
}


class Parameters:
    """Creates the parameters in order; stores and reads each in our layout."""

    def __init__(self):
        self.names, self.values = [], []

    def _add(self, name, array):
        tensor = torch.from_numpy(array)
        if tensor.ndim == 4:
            tensor = tensor.permute(0, 3, 1, 2).contiguous()
        self.names.append(name)
        self.values.append(tensor.requires_grad_())
        return self.values[-1]

    def drawn(self, name, *shape, fan_in):
        u = philox.uniform(2024, len(self.values), int(np.prod(shape)))
        return self._add(name, ((2 * u - 1) / np.sqrt(fan_in)).reshape(shape))

    def constant(self, name, value, *shape):
        return self._add(name, np.full(shape, float(value)))

    def summaries(self):
        for name, value in zip(self.names, self.values):
            value = value.detach()
            yield dict(
                name=name,
                elements=value.numel(),
                sum=value.sum().item(),
                sum_of_squares=value.square().sum().item(),
            )


class Model:
    """A network of the study. Regularised: batch norm after each conv, dropout before linears."""

    def __init__(self, widths=(32, 64), dilation=1, deformable=False, regularised=False):
        self.deformable, self.regularised = deformable, regularised
        self.parameters, self.convs, self.running = Parameters(), [], []
        channels = (1, *widths)
        for i, (C, K) in enumerate(zip(channels, channels[1:])):
            self.convs.append(self._conv(f"conv{i + 1}", C, K, dilation if i == 1 else 1))
            self.running.append((torch.zeros(K).double(), torch.ones(K).double()))
        features = 7 * 7 * widths[-1]
        self.linears = [
            self._linear("linear1", features, 128),
            self._linear("linear2", 128, CLASSES),
        ]

    def _conv(self, name, C, K, dilation):
        parameters, layer = self.parameters, dict(dilation=dilation)
        if self.deformable:
            layer["offset"] = (
                parameters.constant(f"{name}.offset.weight", 0, 18, 3, 3, C),
                parameters.constant(f"{name}.offset.bias", 0, 18),
            )
        layer["conv"] = (
            parameters.drawn(f"{name}.weight", K, 3, 3, C, fan_in=9 * C),
            parameters.drawn(f"{name}.bias", K, fan_in=9 * C),
        )
        if self.regularised:
            layer["norm"] = (
                parameters.constant(f"{name}.gamma", 1, K),
                parameters.constant(f"{name}.beta", 0, K),
            )
        return layer

    def _linear(self, name, inputs, outputs):
        return (
            self.parameters.drawn(f"{name}.weight", outputs, inputs, fan_in=inputs),
            self.parameters.drawn(f"{name}.bias", outputs, fan_in=inputs),
        )

    def _dropout(self, x, step, index):
        if not self.regularised:
            return x
        keep = philox.uniform(79, 2 * step + index, x.numel()).reshape(x.shape) >= DROP
        return x * torch.from_numpy(keep) / (1 - DROP)

    def forward(self, x, step):
        """Training-mode logits [N, 10] of images [N, 28, 28, 1]."""
        x = x.permute(0, 3, 1, 2)
        for i, (layer, running) in enumerate(zip(self.convs, self.running)):
            d = layer["dilation"]
            if self.deformable:
                offset = F.conv2d(x, *layer["offset"], padding=1)
                x = deform_conv2d(x, offset, *layer["conv"], padding=1)
            else:
                x = F.conv2d(x, *layer["conv"], padding=d, dilation=d)
            if self.regularised:
                x = F.batch_norm(x, *running, *layer["norm"], training=True, momentum=0.1, eps=1e-5)
            x = F.relu(x)
            if i < 2:  # the deep network keeps 7x7 from here on
                x = F.max_pool2d(x, 2)
        x = x.permute(0, 2, 3, 1).flatten(1)
        x = F.relu(F.linear(self._dropout(x, step, 0), *self.linears[0]))
        return F.linear(self._dropout(x, step, 1), *self.linears[1])


def batch(k):
    """Images [4, 28, 28, 1] in [0, 1] and one-hot labels [4, 10]."""
    pixels = (philox.words(77, k, BATCH * 28 * 28) >> np.uint64(24)).astype(np.float64) / 255
    labels = (philox.words(78, k, BATCH) % np.uint64(CLASSES)).astype(np.int64)
    images = torch.from_numpy(pixels.reshape(BATCH, 28, 28, 1))
    return images, torch.from_numpy(np.eye(CLASSES)[labels])


def mixed(tensor, step):
    share = (step + 1) / (STEPS + 1)
    return share * tensor + (1 - share) * tensor.flip(0)


def loss_at(model, step, mixup):
    x, target = batch(step % 2)
    if not mixup:
        return F.cross_entropy(model.forward(x, step), target)
    logits = model.forward(mixed(x, step), step)
    return F.binary_cross_entropy_with_logits(logits, mixed(target, step))


def train(name, mixup=False, **options):
    model = Model(**options)
    optimizer = torch.optim.Adam(model.parameters.values, lr=1e-3)
    losses = []
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = loss_at(model, step, mixup)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    golden = dict(name=name, losses=losses, parameters=list(model.parameters.summaries()))
    if model.regularised:
        golden["running_mean_sums"] = [mean.sum().item() for mean, _ in model.running]
        golden["running_var_sums"] = [var.sum().item() for _, var in model.running]
    return golden


def curves():
    return [train(name, **options) for name, options in SYSTEMS.items()]
