"""The processes that share a batch: each has a part of its rows, and its share of every loss.

A loss of the whole batch is the mean over processes of their shares, so the mean of their gradients
is the gradient of one process that has the whole batch. A loss that compares rows gathers those of
all processes first. It may then be computed whole by each of them, or each computes it for its own
rows alone: both have that mean. A loss that is a mean over words or frames counts those of all
processes (`share_of_mean`), since a mean of means would weigh them differently.

All processes call these functions in the same order, on the way back as well: what is gathered must
have a part in the loss of each of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist
from torch.nn import functional as F


@dataclass(frozen=True)
class Ranks:
    """Which process this is, and of how many; alone, a process is its own mean."""

    rank: int = 0
    world: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes and says what all of them would."""
        return self.rank == 0

    def gather(self, rows: Tensor) -> Tensor:
        """Rows (B, ...) of all processes, in the order of ranks, with the true gradient."""
        if self.world == 1:
            return rows
        if not rows.is_floating_point():
            return _gathered(rows)
        joined: Tensor = _Gather.apply(rows)  # type: ignore[no-untyped-call]
        return joined

    def gather_padded(self, rows: Tensor) -> Tensor:
        """As `gather`, of rows (B, L, ...) whose L differs: zeros, or False, are put behind."""
        if self.world == 1 or rows.dim() < 2:
            return self.gather(rows)
        more = int(self.highest(rows.shape[1])) - rows.shape[1]
        return self.gather(F.pad(rows, (0, 0) * (rows.dim() - 2) + (0, more)))

    def part(self, rows: Tensor) -> Tensor:
        """This process's rows of those of all."""
        return rows if self.world == 1 else rows.chunk(self.world)[self.rank]

    def mean(self, tensor: Tensor) -> Tensor:
        """The mean over processes, the same to the bit on each; it has no gradient."""
        return tensor if self.world == 1 else self.total(tensor) / self.world

    def total(self, tensor: Tensor) -> Tensor:
        """The sum over processes, the same to the bit on each; it has no gradient."""
        if self.world == 1:
            return tensor
        summed = tensor.detach().clone(memory_format=torch.contiguous_format)
        dist.all_reduce(summed)
        return summed

    def share_of_mean(self, summed: Tensor, count: Tensor | int) -> Tensor:
        """This process's share of a mean over `count` items of each process: the sum of its own
        items by all counts, times the number of processes. 0 where there is no item anywhere."""
        counts = torch.as_tensor(count, device=summed.device)
        return summed * self.world / self.total(counts).clamp(min=1).to(summed.dtype)

    def highest(self, value: float) -> float:
        """The highest of a number of each process."""
        return self.highest_of([value])[0]

    def highest_of(self, values: list[float]) -> list[float]:
        """The highest of each number, over processes."""
        if self.world == 1:
            return values
        found = torch.tensor(values, dtype=torch.float64, device=_device())
        dist.all_reduce(found, dist.ReduceOp.MAX)
        return found.tolist()

    def of_first(self, tensor: Tensor) -> Tensor:
        """The tensor of the first process, such as what was drawn at random."""
        if self.world == 1:
            return tensor
        told = tensor.detach().clone(memory_format=torch.contiguous_format).to(_device())
        dist.broadcast(told, 0)
        return told.to(tensor.device)

    def mean_figures(self, figures: dict[str, float]) -> dict[str, float]:
        """The mean of each number over processes; all have the same names."""
        if self.world == 1 or not figures:
            return figures
        found = torch.tensor(list(figures.values()), dtype=torch.float64, device=_device())
        return dict(zip(figures, self.mean(found).tolist(), strict=True))

    def figures_of_first(self, figures: dict[str, float]) -> dict[str, float]:
        """Numbers of the first process; all have the same names."""
        if self.world == 1 or not figures:
            return figures
        found = self.of_first(torch.tensor(list(figures.values()), dtype=torch.float64))
        return dict(zip(figures, found.tolist(), strict=True))

    def wait(self) -> None:
        """Go on when all processes have come here."""
        if self.world > 1:
            dist.barrier()


ALONE = Ranks()
_SHARED: ContextVar[bool] = ContextVar("batches are shared", default=False)


def everyone() -> Ranks:
    """All processes of the run."""
    if not dist.is_initialized():
        return ALONE
    return Ranks(dist.get_rank(), dist.get_world_size())


def sharing() -> Ranks:
    """The processes whose batch this process has a part of: all of them within `shared_batch`, and
    else this one alone, whose losses are then of its own rows."""
    return everyone() if _SHARED.get() else ALONE


@contextmanager
def shared_batch() -> Iterator[None]:
    """Within it the batches of all processes are one batch, and losses are shares of its losses.

    Every process has as many rows of it.
    """
    before = _SHARED.set(True)
    try:
        yield
    finally:
        _SHARED.reset(before)


class _Gather(torch.autograd.Function):
    """Rows of all ranks in order; backward adds up what every rank asks of this rank's rows."""

    @staticmethod
    def forward(context: Any, rows: Tensor) -> Tensor:
        return _gathered(rows)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        asked: Tensor = _Return.apply(gradients[0])  # type: ignore[no-untyped-call]
        return asked

    @staticmethod
    def jvp(context: Any, *changes: Tensor) -> Tensor:
        return _gathered(changes[0])


class _Return(torch.autograd.Function):
    """The adjoint of `_Gather`, whose own adjoint is that again."""

    @staticmethod
    def forward(context: Any, asked: Tensor) -> Tensor:
        return _returned(asked)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        joined: Tensor = _Gather.apply(gradients[0])  # type: ignore[no-untyped-call]
        return joined

    @staticmethod
    def jvp(context: Any, *changes: Tensor) -> Tensor:
        return _returned(changes[0])


def _gathered(rows: Tensor) -> Tensor:
    sent = rows.contiguous().byte() if rows.dtype == torch.bool else rows.contiguous()
    parts = [torch.empty_like(sent) for _ in range(_world())]
    dist.all_gather(parts, sent)
    return torch.cat(parts).to(rows.dtype)


def _returned(asked: Tensor) -> Tensor:
    total = asked.clone(memory_format=torch.contiguous_format)  # others may hold it too
    dist.all_reduce(total)
    return total.chunk(_world())[dist.get_rank()].clone()


def _world() -> int:
    return dist.get_world_size()


def _device() -> torch.device:
    """Where the backend of the group can take tensors from."""
    if dist.get_backend() == "nccl":
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")
