"""PyTorch's layouts to ours and back: NCHW <-> NHWC and [K,C,R,S] <-> [K,R,S,C] alike."""

import numpy as np
import torch


def to_torch(array):
    """A leaf tensor in PyTorch's layout that collects a gradient; None stays None."""
    if array is None:
        return None
    tensor = torch.from_numpy(np.asarray(array, np.float64))
    if tensor.ndim == 4:
        tensor = tensor.permute(0, 3, 1, 2).contiguous()
    return tensor.requires_grad_()


def to_ours(tensor):
    """The values as a contiguous array in our layout."""
    tensor = tensor.detach()
    if tensor.ndim == 4:
        tensor = tensor.permute(0, 2, 3, 1)
    return tensor.contiguous().numpy()


def gradient_to_ours(tensor):
    return None if tensor is None else to_ours(tensor.grad)


def dumped(value):
    """JSON form: an array becomes {shape, data}; None is left out of a dict."""
    if isinstance(value, np.ndarray):
        return {"shape": list(value.shape), "data": value.ravel().tolist()}
    if isinstance(value, dict):
        return {key: dumped(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [dumped(item) for item in value]
    return value


class Draw:
    """Inputs from a fixed seed, rounded to three decimals to keep the files small."""

    def __init__(self, seed):
        self.generator = np.random.default_rng(seed)

    def normal(self, *shape):
        return self.generator.normal(size=shape).round(3) + 0.0  # + 0.0: no negative zero

    def uniform(self, low, high, *shape):
        return self.generator.uniform(low, high, shape).round(3) + 0.0

    def fractional(self, low, high, *shape):
        """Never a whole number, where bilinear sampling has a kink."""
        return (self.uniform(low, high, *shape) + 0.0005).round(4)

    def integers(self, low, high, *shape):
        """Whole numbers low ... high, both included."""
        return self.generator.integers(low, high + 1, shape).astype(np.float64)

    def probabilities(self, rows, classes):
        rounded = self.generator.dirichlet(np.ones(classes), rows).round(3)
        rounded[:, 0] = (1.0 - rounded[:, 1:].sum(1)).round(3)
        return rounded
