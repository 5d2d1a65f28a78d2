"""Goldens of conv2d (PyTorch) and deform_conv2d (torchvision, ONNX) in float64, in our layouts.

  y[n,p,q,k] = b[k] + sum_{r,s,c} w[k,r,s,c] * mask[n,p,q,rs]
               * x[n, p*stride-padding+r*dilation+dy, q*stride-padding+s*dilation+dx, c]
  x [N,H,W,C]  offset [N,P,Q,2*G*R*S]  mask [N,P,Q,G*R*S]  w [K,R,S,C/groups]  b [K]  y [N,P,Q,K]

Channels of offset: offset group, tap, (dy, dx), y first. The gradients are those of sum(y * dy).
At a whole-number position the derivative in the offset is that of the cell [floor, floor + 1].
"""

import warnings
from dataclasses import dataclass

import numpy as np
import onnx
import torch.nn.functional as F
from onnx.backend.test.case.node import collect_testcases
from onnx.reference import ReferenceEvaluator
from torchvision.ops import deform_conv2d as torchvision_deform_conv2d

from layouts import Draw, gradient_to_ours, to_ours, to_torch

TOLERANCE = 1e-12  # float64 rounding, the order of sums left open
ONNX_TOLERANCE = 1e-5  # ONNX's evaluator samples in float32


@dataclass
class Case:
    name: str
    N: int
    size: tuple  # H, W
    C: int
    K: int
    taps: tuple  # R, S
    stride: tuple = (1, 1)
    padding: tuple = (0, 0)
    dilation: tuple = (1, 1)
    groups: int = 1
    offset_groups: int = 1
    bias: bool = True
    mask: bool = False
    offsets: str = "near"

    def geometry(self):
        return dict(stride=self.stride, padding=self.padding, dilation=self.dilation)

    def attributes(self):
        return dict(
            name=self.name, **self.geometry(), groups=self.groups, offset_groups=self.offset_groups
        )

    def output_size(self):
        """P, Q."""
        return [
            (length + 2 * padding - dilation * (tap - 1) - 1) // stride + 1
            for length, padding, dilation, tap, stride in zip(
                self.size, self.padding, self.dilation, self.taps, self.stride
            )
        ]

    def draw_conv(self, draw):
        """x, w, b."""
        x = draw.normal(self.N, *self.size, self.C)
        w = draw.normal(self.K, *self.taps, self.C // self.groups)
        return x, w, draw.normal(self.K) if self.bias else None

    def draw_samples(self, draw):
        """offset, mask."""
        shape = self.N, *self.output_size(), self.offset_groups * self.taps[0] * self.taps[1]
        mask = draw.uniform(0, 1, *shape) if self.mask else None
        return self.draw_offset(draw, *shape[:3], 2 * shape[3]), mask

    def draw_offset(self, draw, *shape):
        if self.offsets == "zero":
            return np.zeros(shape)
        if self.offsets == "whole":
            return draw.integers(-3, 3, *shape)
        if self.offsets == "near":
            return draw.fractional(-2, 2, *shape)
        offset = draw.fractional(-9, 9, *shape)
        offset.ravel()[::37] = 1e6
        offset.ravel()[5::41] = -1e6
        return offset

    def draw_dy(self, draw):
        return draw.normal(self.N, *self.output_size(), self.K)


CONV2D = [
    Case("same_3x3", 2, (5, 6), 3, 4, (3, 3), padding=(1, 1)),
    Case("stride_by_axis", 1, (7, 6), 2, 3, (3, 2), stride=(2, 3), padding=(1, 0)),
    Case("groups", 2, (4, 5), 6, 4, (3, 3), padding=(1, 1), groups=2),
    Case("depthwise_no_bias", 1, (5, 5), 5, 5, (3, 3), padding=(1, 1), groups=5, bias=False),
    Case("pointwise", 2, (3, 5), 7, 3, (1, 1)),
    Case("dilation_10", 1, (9, 11), 3, 2, (3, 3), padding=(10, 10), dilation=(10, 10)),
    Case(
        "dilation_by_axis", 1, (8, 7), 1, 2, (3, 3), stride=(1, 2), padding=(2, 1), dilation=(2, 1)
    ),
]
DEFORM_CONV2D = [
    Case("same_3x3", 2, (5, 6), 3, 4, (3, 3), padding=(1, 1)),
    Case("mask", 1, (5, 4), 3, 2, (3, 3), padding=(1, 1), mask=True),
    Case("one_channel", 2, (4, 7), 1, 3, (3, 3), padding=(1, 1)),
    Case(
        "by_axis",
        1,
        (7, 6),
        5,
        3,
        (3, 3),
        stride=(2, 1),
        padding=(1, 2),
        dilation=(1, 2),
        bias=False,
        mask=True,
    ),
    Case("groups", 1, (5, 5), 6, 4, (3, 3), padding=(1, 1), groups=2, mask=True),
    Case("offset_groups", 1, (4, 5), 6, 2, (3, 3), padding=(1, 1), offset_groups=3),
    Case("both_groups", 1, (5, 4), 8, 6, (3, 2), groups=2, offset_groups=4, mask=True),
    Case(
        "offset_group_per_channel",
        1,
        (6, 5),
        3,
        2,
        (3, 3),
        dilation=(2, 1),
        offset_groups=3,
        bias=False,
    ),
    Case("pointwise", 2, (3, 5), 7, 3, (1, 1), mask=True),
    Case("wide_filter", 1, (7, 4), 3, 5, (2, 3), stride=(1, 2), padding=(0, 1), bias=False),
    Case("far_outside", 1, (5, 6), 2, 3, (3, 3), padding=(1, 1), mask=True, offsets="far"),
    Case("whole_offsets", 1, (5, 6), 2, 3, (3, 3), padding=(1, 1), mask=True, offsets="whole"),
    Case("zero_offsets", 1, (5, 5), 3, 2, (3, 3), padding=(1, 1), offsets="zero"),
]
ONNX_DRAWN = [
    Case(
        "onnx_by_axis",
        1,
        (6, 5),
        4,
        2,
        (3, 2),
        stride=(2, 1),
        padding=(1, 0),
        dilation=(1, 2),
        mask=True,
    ),
    Case("onnx_both_groups", 1, (4, 5), 4, 4, (3, 3), padding=(1, 1), groups=2, offset_groups=2),
]


def conv2d():
    draw, goldens = Draw(1), []
    for case in CONV2D:
        x, w, b = case.draw_conv(draw)
        dy = case.draw_dy(draw)
        tx, tw, tb = map(to_torch, (x, w, b))
        y = F.conv2d(tx, tw, tb, **case.geometry(), groups=case.groups)
        y.backward(to_torch(dy))
        goldens.append(
            dict(
                name=case.name,
                **case.geometry(),
                groups=case.groups,
                x=x,
                w=w,
                b=b,
                y=to_ours(y),
                dy=dy,
                dx=gradient_to_ours(tx),
                dw=gradient_to_ours(tw),
                db=gradient_to_ours(tb),
            )
        )
    return goldens


def torchvision_cases():
    draw = Draw(2)
    for case in DEFORM_CONV2D:
        (x, w, b), (offset, mask) = case.draw_conv(draw), case.draw_samples(draw)
        dy = case.draw_dy(draw)
        tx, toffset, tmask, tw, tb = map(to_torch, (x, offset, mask, w, b))
        y = torchvision_deform_conv2d(tx, toffset, tw, tb, mask=tmask, **case.geometry())
        y.backward(to_torch(dy))
        yield dict(
            case.attributes(),
            tolerance=TOLERANCE,
            x=x,
            offset=offset,
            mask=mask,
            w=w,
            b=b,
            y=to_ours(y),
            dy=dy,
            dx=gradient_to_ours(tx),
            d_offset=gradient_to_ours(toffset),
            d_mask=gradient_to_ours(tmask),
            dw=gradient_to_ours(tw),
            db=gradient_to_ours(tb),
        )


def nhwc(array):
    return array.transpose(0, 2, 3, 1) if array is not None and array.ndim == 4 else array


def nchw(array):
    return array.transpose(0, 3, 1, 2) if array is not None and array.ndim == 4 else array


def onnx_case(case, **inputs):
    """y of ONNX's DeformConv, by its own evaluator, for X, W, offset, B, mask in ONNX's layouts."""
    names = [name if inputs[name] is not None else "" for name in ("X", "W", "offset", "B", "mask")]
    node = onnx.helper.make_node(
        "DeformConv",
        names,
        ["Y"],
        kernel_shape=case.taps,
        strides=case.stride,
        pads=[*case.padding, *case.padding],
        dilations=case.dilation,
        group=case.groups,
        offset_group=case.offset_groups,
    )
    (y,) = ReferenceEvaluator(node).run(None, {name: inputs[name] for name in names if name})
    return dict(
        case.attributes(),
        tolerance=ONNX_TOLERANCE,
        x=nhwc(inputs["X"]),
        offset=nhwc(inputs["offset"]),
        mask=nhwc(inputs["mask"]),
        w=nhwc(inputs["W"]),
        b=inputs["B"],
        y=nhwc(y),
    )


def onnx_stated_cases():
    """The inputs of ONNX's own node tests, whose y, stated in float32, the evaluator must meet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # every operator's tests are collected, and some overflow
        tests = collect_testcases("DeformConv")
    for test in tests:
        inputs, (stated,) = test.data_sets[0]
        inputs = [array.astype(np.float64).round(3) for array in inputs]
        X, W, offset, B, mask = inputs + [None] * (5 - len(inputs))
        node = test.model.graph.node[0]
        given = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
        (N, C, *size), (K, _, *taps) = X.shape, W.shape
        case = Case(
            "onnx_" + test.name.removeprefix("test_"),
            N,
            size,
            C,
            K,
            taps,
            padding=given["pads"][:2],
            offset_groups=given.get("offset_group", 1),
        )
        golden = onnx_case(case, X=X, W=W, offset=offset, B=B, mask=mask)
        if not np.allclose(golden["y"], nhwc(stated), rtol=0, atol=ONNX_TOLERANCE):
            raise SystemExit(f"{case.name}: ONNX's evaluator misses the y that its test states")
        yield golden


def onnx_drawn_cases():
    draw = Draw(3)
    for case in ONNX_DRAWN:
        (x, w, b), (offset, mask) = case.draw_conv(draw), case.draw_samples(draw)
        inputs = dict(X=nchw(x), W=nchw(w), offset=nchw(offset), B=b, mask=nchw(mask))
        yield onnx_case(case, **inputs)


def deform_conv2d():
    """torchvision's cases with gradients, then ONNX's with y only."""
    return [*torchvision_cases(), *onnx_stated_cases(), *onnx_drawn_cases()]
