"""Several processes on one batch: `torchrun` starts them, this module joins their work.

Gradients are averaged by hand and not by DistributedDataParallel, which sees `forward` alone:
here a step encodes texts and videos by two methods, and may do so twice (`grad_cache`).
"""

import importlib
import os
from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch import distributed as dist


def start() -> tuple[int, int]:
    """Join the processes that `torchrun` started; returns rank and their number."""
    if "WORLD_SIZE" not in os.environ:
        return 0, 1
    if not dist.is_initialized():
        # Functions there take the group as a default. Imported later, they would keep it for ever,
        # and its threads would abort a process that ends.
        importlib.import_module("torch.distributed.nn.functional")
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
    return dist.get_rank(), dist.get_world_size()


def world() -> int:
    """How many processes work together."""
    return dist.get_world_size() if dist.is_initialized() else 1


class _Gather(torch.autograd.Function):
    """Rows of all ranks in order; backward adds up what every rank asks of this rank's rows."""

    @staticmethod
    def forward(context: Any, rows: Tensor) -> Tensor:
        parts = [torch.empty_like(rows) for _ in range(world())]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        asked = gradients[0].clone(memory_format=torch.contiguous_format)  # others may hold it too
        dist.all_reduce(asked)
        return asked.chunk(world())[dist.get_rank()]


def gather(rows: Float[Tensor, "B D"]) -> Float[Tensor, "A D"]:
    """Rows of all processes, each with B of them, with the true gradient.

    Every rank computes the same loss of all rows, so its rows' gradient comes back once per
    rank; `average_gradients` divides by as many.
    """
    if world() == 1:
        return rows
    joined: Tensor = _Gather.apply(rows)  # type: ignore[no-untyped-call]
    return joined


def gather_ids(ids: Tensor) -> Tensor:
    """Whole numbers of all processes, in the order of ranks; they have no gradient."""
    if world() == 1:
        return ids
    parts = [torch.empty_like(ids) for _ in range(world())]
    dist.all_gather(parts, ids.contiguous())
    return torch.cat(parts)


def average_gradients(weights: Iterable[Tensor]) -> None:
    """Bring the mean of all processes' gradients to each of them."""
    if world() == 1:
        return
    wanted = list(weights)
    for weight in wanted:  # a weight that this rank's batch did not reach
        weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
    flat = torch.cat([w.grad.flatten() for w in wanted if w.grad is not None])
    dist.all_reduce(flat)
    flat /= world()
    for weight, part in zip(wanted, flat.split([w.numel() for w in wanted]), strict=True):
        weight.grad = part.view_as(weight)


def same_start(weights: Iterable[Tensor]) -> None:
    """Give every process the weights of the first."""
    if world() > 1:
        for weight in weights:
            dist.broadcast(weight.data, 0)


def stop() -> None:
    """Leave the group."""
    if dist.is_initialized():
        dist.destroy_process_group()
