"""Batch normalisation by the statistics of the whole batch, of which this process has a part."""

import torch
from torch import Tensor, nn

from reeltune.ranks.ranks import Ranks, sharing

Norm = nn.BatchNorm1d | nn.BatchNorm2d


def batch_norm(norm: Norm, states: Tensor) -> Tensor:
    """`norm(states)` for states (N, C, ...), with means and variances over the rows of all
    processes that share a batch. `torch.nn.SyncBatchNorm` does so on GPUs alone, and once."""
    ranks = sharing()
    if ranks.world == 1 or not norm.training or norm.running_mean is None:
        made: Tensor = norm(states)
        return made
    inner = [place for place in range(states.dim()) if place != 1]
    rows = states.numel() // states.shape[1]
    count = ranks.total(torch.tensor(rows, dtype=torch.float64, device=states.device))
    mean = _total(ranks, states.sum(inner)) / count.to(states)  # (C,)
    apart = states - _by_channel(mean, states)
    variance = _total(ranks, apart.square().sum(inner)) / count.to(states)
    _follow(norm, mean.detach(), variance.detach() * (count / (count - 1)).to(states))
    found = apart * _by_channel((variance + norm.eps).rsqrt() * norm.weight, states)
    return found + _by_channel(norm.bias, states)


def _total(ranks: Ranks, summed: Tensor) -> Tensor:
    """The sum over processes, with its gradient."""
    return ranks.gather(summed[None]).sum(0)


def _by_channel(values: Tensor, states: Tensor) -> Tensor:
    return values.view(1, -1, *[1] * (states.dim() - 2))


@torch.no_grad()
def _follow(norm: Norm, mean: Tensor, variance: Tensor) -> None:
    """Let the running statistics follow those of a batch, as torch's own do."""
    if norm.running_mean is None or norm.running_var is None or norm.num_batches_tracked is None:
        return
    norm.num_batches_tracked.add_(1)
    rate = norm.momentum if norm.momentum is not None else 1 / float(norm.num_batches_tracked)
    norm.running_mean.lerp_(mean.to(norm.running_mean), rate)
    norm.running_var.lerp_(variance.to(norm.running_var), rate)
