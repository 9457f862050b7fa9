"""Arithmetic of vectors that have the shape of a model's weights."""

import torch
from torch import Tensor

from reeltune.meltr.losses import Weights


def plus(left: Weights, right: Weights, scale: float = 1.0) -> Weights:
    """`left + scale * right`, without a graph and in one pass over memory."""
    with torch.no_grad():
        return {name: torch.add(left[name], right[name], alpha=scale) for name in left}


def added(left: Weights, right: Weights) -> Weights:
    """`left + right`; both are emptied on the way, so that memory holds no third vector."""
    with torch.no_grad():
        return {name: left.pop(name) + right.pop(name) for name in list(left)}


def times(vector: Weights, scale: float | Tensor) -> Weights:
    """`vector` times a factor, without a graph."""
    with torch.no_grad():
        return {name: scale * tensor for name, tensor in vector.items()}


def dot(left: Weights, right: Weights) -> Tensor:
    """Inner product, a scalar tensor that carries a graph where its factors do."""
    return torch.stack([(left[name] * right[name]).sum() for name in left]).sum()


def norm(vector: Weights) -> Tensor:
    """Euclidean length, a scalar tensor that carries a graph where the vector does."""
    return torch.stack([tensor.norm() for tensor in vector.values()]).norm()


def leaves(weights: Weights) -> Weights:
    """Copies that share memory with `weights` and by which one can differentiate."""
    return {name: weight.detach().requires_grad_() for name, weight in weights.items()}
