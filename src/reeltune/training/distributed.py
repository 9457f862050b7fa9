"""Several processes on one batch: `torchrun` starts them, this module joins their work.

Gradients are averaged by hand and not by DistributedDataParallel, which sees `forward` alone:
here a step encodes texts and videos by two methods, and may do so twice (`grad_cache`).
"""

import importlib
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType

import numpy as np
import torch
from torch import Tensor
from torch import distributed as dist

from reeltune.errors import RankError
from reeltune.ranks.ranks import ALONE, Ranks, everyone
from reeltune.training.interrupts import TORCHRUN

PATIENCE = timedelta(days=1)  # of one process with another, which may decode all clips first
GONE = ("gloo", "NCCL", "Connection closed", "Connection reset", "Broken pipe")  # in what torch
# says where another process of the group has ended
ENDED = (
    "another of the processes that train together has ended, or torchrun was told to end; see what "
    "was said before this, and run the same command again to go on where it was last saved"
)


def start() -> Ranks:
    """Join the processes that `torchrun` started; returns which of them this one is."""
    if "WORLD_SIZE" not in os.environ:
        return ALONE
    if not dist.is_initialized():
        # Functions there take the group as a default. Imported later, they would keep it for ever,
        # and its threads would abort a process that ends.
        for module in ("torch.distributed.nn.functional", "torch.distributed.fsdp"):
            importlib.import_module(module)
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
        if TORCHRUN in os.environ and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, _told_to_end)  # which torchrun sends when one has died
    return everyone()


def _told_to_end(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise RankError(ENDED)


def stop() -> None:
    """Leave the group."""
    if dist.is_initialized():
        dist.destroy_process_group()


@contextmanager
def joined() -> Iterator[Ranks]:
    """The processes of a run while it goes on; the group is left at its end.

    Errors: `RankError` where another of them has ended.
    """
    ranks = start()
    try:
        yield ranks
    except RuntimeError as error:
        if ranks.world == 1 or not is_of_others(error):
            raise
        raise RankError(ENDED) from error
    finally:
        if ranks.world == 1 or dist.get_backend() == "gloo":  # NCCL waits for those that are gone
            stop()
    stop()


def is_of_others(error: BaseException) -> bool:
    """Whether torch could not speak with another process."""
    return isinstance(error, dist.DistError) or any(word in str(error) for word in GONE)


@contextmanager
def one_by_one() -> Iterator[None]:
    """The first process runs the block, and then all others, for what is made once and then
    found."""
    ranks = start()
    if not ranks.leads:
        ranks.wait()
    yield
    if ranks.leads:
        ranks.wait()


def draw_alike_never(seed: int, epoch: int, batch: int, ranks: Ranks) -> None:
    """Give torch's generators of each of several processes a state of its own, which depends on
    these numbers alone: so a run may go on with another number of processes."""
    if ranks.world > 1:
        source = np.random.SeedSequence([seed, epoch, batch, ranks.rank])
        torch.manual_seed(int(source.generate_state(1, np.uint64)[0] >> 1))


def average_gradients(weights: Iterable[Tensor]) -> None:
    """Bring the mean of all processes' gradients to each of them."""
    ranks = everyone()
    if ranks.world == 1:
        return
    wanted = list(weights)
    for weight in wanted:  # a weight that this rank's batch did not reach
        weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
    flat = ranks.mean(torch.cat([w.grad.flatten() for w in wanted if w.grad is not None]))
    for weight, part in zip(wanted, flat.split([w.numel() for w in wanted]), strict=True):
        weight.grad = part.view_as(weight)


def same_start(weights: Iterable[Tensor]) -> None:
    """Give every process the weights of the first."""
    if everyone().world > 1:
        for weight in weights:
            dist.broadcast(weight.data, 0)
