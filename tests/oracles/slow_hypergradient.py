"""Bilevel derivatives the obvious way: second-order autograd through all, and brute force."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel


def melted(model: Any, batch: Any, combiner: Any) -> Tensor:
    named = model.losses(batch)
    return combiner(torch.stack([named[task] for task in combiner.tasks]))


def flat(tensors: Any) -> Tensor:
    """One long vector of a dictionary's or a list's tensors."""
    parts = tensors.values() if hasattr(tensors, "values") else tensors
    return torch.cat([part.detach().flatten() for part in parts])


def double_backward(model: nn.Module, batch: Any, combiner: nn.Module, x: list[Tensor]) -> Tensor:
    """`d/dphi <grad_w G, x>` by differentiating the whole backbone twice."""
    weights = [w for w in model.parameters() if w.requires_grad]
    with sdpa_kernel(SDPBackend.MATH):
        first = torch.autograd.grad(
            melted(model, batch, combiner), weights, create_graph=True, allow_unused=True
        )
        product = sum((g * part).sum() for g, part in zip(first, x, strict=True) if g is not None)
        return flat(
            torch.autograd.grad(
                product, list(combiner.parameters()), allow_unused=True, materialize_grads=True
            )
        )


def hessian(model: nn.Module, batch: Any, combiner: nn.Module) -> Tensor:
    """Hessian of the melted loss by all trained weights, row by row."""
    weights = [w for w in model.parameters() if w.requires_grad]
    with sdpa_kernel(SDPBackend.MATH):
        first = torch.autograd.grad(melted(model, batch, combiner), weights, create_graph=True)
        entries = torch.cat([part.flatten() for part in first])
        rows = [
            flat(torch.autograd.grad(entry, weights, retain_graph=True, materialize_grads=True))
            for entry in entries
        ]
    return torch.stack(rows)


def central_differences(
    function: Callable[[], float], parameters: list[nn.Parameter], step: float = 1e-5
) -> Tensor:
    """The gradient of a function of some parameters, entry by entry."""
    found = []
    with torch.no_grad():
        for parameter in parameters:
            for place in range(parameter.numel()):
                entry, value = parameter.view(-1), float(parameter.view(-1)[place])
                ends = []
                for sign in (1, -1):
                    entry[place] = value + sign * step
                    with torch.enable_grad():
                        ends.append(function())
                entry[place] = value
                found.append((ends[0] - ends[1]) / (2 * step))
    return torch.tensor(found, dtype=torch.float64)
