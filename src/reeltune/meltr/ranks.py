"""Means over the processes of a run; alone, a process is its own mean.

`DistributedDataParallel` does not see gradients of `torch.autograd.grad`, so what a meta step
computes is averaged here.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch import distributed as dist

from reeltune.ranks.ranks import everyone


def leads() -> bool:
    """Whether this process writes what all of them would write."""
    return everyone().leads


def mean_over_ranks(tensor: Tensor) -> Tensor:
    """The mean of the tensors of all processes, with the same bits on each."""
    return everyone().mean(tensor)


def mean_of_each(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Mean over ranks of a vector in pieces, sent in one message."""
    if everyone().world == 1 or not tensors:
        return dict(tensors)
    flat = mean_over_ranks(torch.cat([tensor.flatten() for tensor in tensors.values()]))
    parts = flat.split([tensor.numel() for tensor in tensors.values()])
    return {
        name: part.view_as(tensor)
        for (name, tensor), part in zip(tensors.items(), parts, strict=True)
    }


def same_on_all_ranks(module: torch.nn.Module) -> None:
    """Give every process the weights of the first."""
    if everyone().world > 1:
        for weight in module.parameters():
            dist.broadcast(weight.data, 0)
