"""Goldens of batch norm, pooling, losses and optimisers, by PyTorch in float64, images in NHWC."""

import numpy as np
import torch
import torch.nn.functional as F

from layouts import Draw, gradient_to_ours, to_ours, to_torch


def batch_norm():
    """running_*_after = (1 - momentum) * running_* + momentum * batch statistic. The running
    variance is unbiased, the one that normalises is not."""
    draw, goldens = Draw(4), []
    for name, shape, mode, momentum, eps in [
        ("train", (2, 3, 4, 3), "train", 0.1, 1e-5),
        ("train_other_options", (3, 5, 1, 2), "train", 0.3, 1e-3),
        ("train_one_pixel_per_image", (7, 1, 1, 5), "train", 0.1, 1e-5),
        ("eval", (2, 3, 4, 3), "eval", 0.1, 1e-5),
    ]:
        C = shape[-1]
        x, dy = draw.normal(*shape) * 2 + 1, draw.normal(*shape)
        gamma, beta = draw.uniform(0.5, 2, C), draw.normal(C)
        before = draw.normal(C), draw.uniform(0.5, 2, C)
        mean, var = (torch.from_numpy(array.copy()) for array in before)
        tx, tgamma, tbeta = map(to_torch, (x, gamma, beta))
        y = F.batch_norm(tx, mean, var, tgamma, tbeta, mode == "train", momentum, eps)
        y.backward(to_torch(dy))
        goldens.append(
            dict(
                name=name,
                mode=mode,
                momentum=momentum,
                eps=eps,
                x=x,
                gamma=gamma,
                beta=beta,
                running_mean=before[0],
                running_var=before[1],
                running_mean_after=mean.numpy(),
                running_var_after=var.numpy(),
                y=to_ours(y),
                dy=dy,
                dx=gradient_to_ours(tx),
                dgamma=gradient_to_ours(tgamma),
                dbeta=gradient_to_ours(tbeta),
            )
        )
    return goldens


def pooling():
    """max: among equal elements of a window the first in scan order (rows, then columns) gets the
    whole gradient. average: count_include_pad says whether padding counts in the divisor."""
    draw, goldens = Draw(5), []
    for name, op, shape, kernel, stride, padding, include in [
        ("max_2x2", "max", (2, 4, 6, 3), (2, 2), (2, 2), (0, 0), None),
        ("max_2x2_odd_size", "max", (1, 5, 7, 2), (2, 2), (2, 2), (0, 0), None),
        ("max_overlapping_padded", "max", (1, 6, 5, 3), (3, 3), (2, 2), (1, 1), None),
        ("max_by_axis", "max", (1, 7, 6, 1), (3, 2), (1, 2), (1, 0), None),
        ("average_2x2", "average", (2, 4, 6, 3), (2, 2), (2, 2), (0, 0), True),
        ("average_padded", "average", (1, 5, 6, 2), (3, 3), (2, 2), (1, 1), True),
        ("average_padding_not_counted", "average", (1, 5, 6, 2), (3, 3), (2, 2), (1, 1), False),
        ("average_whole_image", "average", (2, 7, 7, 3), (7, 7), (1, 1), (0, 0), True),
    ]:
        x = draw.integers(-3, 1, *shape)  # few values, so that most windows hold a tie
        tx = to_torch(x)
        y = (
            F.max_pool2d(tx, kernel, stride, padding)
            if op == "max"
            else F.avg_pool2d(tx, kernel, stride, padding, count_include_pad=include)
        )
        dy = draw.normal(*to_ours(y).shape)
        y.backward(to_torch(dy))
        goldens.append(
            dict(
                name=name,
                op=op,
                kernel=kernel,
                stride=stride,
                padding=padding,
                count_include_pad=include,
                x=x,
                y=to_ours(y),
                dy=dy,
                dx=gradient_to_ours(tx),
            )
        )
    return goldens


def losses():
    """softmax_cross_entropy: mean over rows of -sum_c target * log softmax(logits).
    binary_cross_entropy: with logits, mean over rows and classes."""
    draw, goldens = Draw(6), []
    functions = {
        "softmax_cross_entropy": F.cross_entropy,
        "binary_cross_entropy": F.binary_cross_entropy_with_logits,
    }
    inputs = {
        "soft": (draw.normal(5, 10), draw.probabilities(5, 10)),
        "one_hot": (draw.normal(4, 3), np.eye(3)[[2, 0, 1, 2]]),
        "one_row": (draw.normal(1, 7), draw.probabilities(1, 7)),
        "large_logits": (draw.normal(3, 4).round(1) * 1000, np.eye(4)[[0, 3, 1]]),
    }
    for op, function in functions.items():
        for name, (logits, target) in inputs.items():
            tlogits = to_torch(logits)
            loss = function(tlogits, torch.from_numpy(target))
            loss.backward()
            goldens.append(
                dict(
                    name=f"{op}_{name}",
                    op=op,
                    logits=logits,
                    target=target,
                    loss=loss.item(),
                    dlogits=gradient_to_ours(tlogits),
                )
            )
    return goldens


OPTIMIZERS = {
    "adam": (torch.optim.Adam, dict(lr=0.01)),
    "adam_other_options": (torch.optim.Adam, dict(lr=0.1, betas=(0.5, 0.9), eps=1e-3)),
    "adam_weight_decay": (torch.optim.Adam, dict(lr=0.01, weight_decay=0.1)),
    "adamw": (torch.optim.AdamW, dict(lr=0.01, weight_decay=0.1)),
    "sgd": (torch.optim.SGD, dict(lr=0.1)),
    "sgd_momentum": (torch.optim.SGD, dict(lr=0.1, momentum=0.9)),
    "sgd_nesterov_weight_decay": (
        torch.optim.SGD,
        dict(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.05),
    ),
}
OPTIONS = ("lr", "betas", "eps", "momentum", "nesterov", "weight_decay")


def optimizers():
    """x after each of five steps with the given gradients. Weight decay is added to the gradient
    (L2), except in AdamW: x *= 1 - lr * weight_decay."""
    draw = Draw(7)
    start, gradients = draw.normal(7), draw.normal(5, 7)
    gradients[:, 0] = 0.0  # Adam: 0 / (0 + eps)
    gradients[1:, 1] = 0.0  # momentum alone
    gradients[:, 2] *= 1e-8  # as small as Adam's eps
    goldens = []
    for name, (optimizer_class, options) in OPTIMIZERS.items():
        x = torch.from_numpy(start.copy()).requires_grad_()
        optimizer = optimizer_class([x], **options)
        after = []
        for gradient in gradients:
            x.grad = torch.from_numpy(gradient.copy())
            optimizer.step()
            after.append(x.detach().numpy().copy())
        used = {key: optimizer.defaults[key] for key in OPTIONS if key in optimizer.defaults}
        goldens.append(
            dict(
                name=name,
                optimizer=optimizer_class.__name__,
                **used,
                x=start,
                gradients=gradients,
                x_after=np.stack(after),
            )
        )
    return goldens
