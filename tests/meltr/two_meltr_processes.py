"""What each of the processes that `torchrun` starts does for test_meltr_processes.py.

    torchrun --nproc-per-node 2 two_meltr_processes.py OUT

Writes what rank R found, and the threads that it has left, to OUT/rankR.pt.
"""

import os
import sys
from pathlib import Path
from typing import Any

import torch
from small_problems import Perceptron, melter, points, problem
from test_meltr_step import Model, batch_of, held_out, step_of
from torch import Tensor
from torch import distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from oracles.slow_hypergradient import flat
from reeltune.errors import ConfigError
from reeltune.meltr import Melt
from reeltune.meltr.derivatives import along
from reeltune.meltr.schemes.aid_fp_lite import aid_fp_lite
from reeltune.meltr.schemes.conjugate_gradient import conjugate_gradient
from reeltune.meltr.schemes.meta_weight_net import meta_weight_net
from reeltune.meltr.torchjd import MELTR
from reeltune.training import distributed

SETTINGS = {
    "jvp": {"along": "jvp", "curved": "exact"},
    "vjp": {"along": "vjp", "curved": "difference"},
    "difference": {"along": "difference", "curved": "exact"},
}


def hypergradients(part: slice) -> dict[str, Tensor]:
    """Hypergradients of three schemes, and the slopes c, from these rows of each batch."""
    torch.manual_seed(0)
    model, combiner = Perceptron().double(), melter()
    batches = [points(16) for _ in range(4)]
    *lower, upper = [(x[part], y[part]) for x, y in batches]
    found = {}
    for way, settings in SETTINGS.items():
        task = problem(model, combiner, lower, upper, gamma=0.2, direct_term=True, **settings)
        found[f"c {way}"] = along(task.lower[0], task.weights, task.weights, task.along)[1]
        damped = conjugate_gradient(task, steps=3, damping=1.0, tolerance=0.0)
        found[f"lite {way}"] = flat(aid_fp_lite(task).gradient)
        found[f"cg {way}"] = flat(damped.gradient)
        found[f"itd {way}"] = flat(meta_weight_net(task, steps=2, rate=0.5).gradient)
    return found


def trained(rank: int) -> dict[str, Tensor]:
    """MELTR after a short run that begins with another one on each rank, with dropout in it."""
    torch.manual_seed(rank)
    model: Any = Model(dropout=0.2)
    distributed.same_start(model.parameters())
    step = step_of(model, every=1, lr=0.01, dropout=True)
    torch.manual_seed(100 + rank)
    optimizer = torch.optim.SGD([w for w in model.parameters() if w.requires_grad], 0.1)
    for number in range(5):
        step(batch_of(2 * number + rank))
        distributed.average_gradients(w for w in model.parameters() if w.requires_grad)
        optimizer.step()
        optimizer.zero_grad()
    return {
        "phi": flat(list(step.combiner.parameters())),
        "weights": flat(list(model.parameters())),
    }


class Forward(Perceptron):
    """As DistributedDataParallel wants it: the losses come by `forward`."""

    def forward(self, batch: Any) -> dict[str, Tensor]:
        return self.losses(batch)


def melted(
    part: slice, joined: bool, by_update: bool, folder: Path | None = None
) -> dict[str, Tensor]:
    """Weights and MELTR after a loop of one's own, from these rows of each batch; a log in
    `folder`."""
    torch.manual_seed(0)
    own, combiner = Forward().double(), melter(residual=True)
    model: Any = DistributedDataParallel(own) if joined else own
    held_out, *batches = [(x[part], y[part]) for x, y in (points(16) for _ in range(6))]
    melt = Melt(
        model, lambda model, batch: model(batch), "primary", [held_out], "neumann",
        combiner=combiner, every=2, lr=0.01, along="vjp",
    )  # fmt: skip
    optimizer = torch.optim.SGD(own.parameters(), 0.1)
    if folder is not None:
        melt.log(folder)
    for batch in batches:
        if by_update:
            melt(model(batch)).backward()
        else:
            melt.step(batch)
        optimizer.step()
        optimizer.zero_grad()
        if by_update:
            melt.update(batch)
    if folder is not None:
        melt.log(folder)
    return {"phi": flat(list(combiner.parameters())), "weights": flat(list(own.parameters()))}


def refused() -> list[str]:
    """What MELTR says to a model that is sharded, as a whole or in a part, in a group of one."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    whole, partly = Perceptron(), Perceptron()
    mesh = init_device_mesh("cpu", (1,))
    fully_shard(whole, mesh=mesh)
    fully_shard(partly.body, mesh=mesh)
    said = []
    for model in (whole, partly):
        for make in (
            lambda model: Melt(model, lambda model, batch: {}, "primary", [0]),
            lambda model: MELTR(3).update(model, lambda model, batch: batch, points(), points()),
        ):
            try:
                make(model)
            except ConfigError as error:
                said.append(str(error))
    return said


def started(rank: int) -> Tensor:
    """MELTR of a step whose combiner was made from another seed on each rank."""
    from reeltune.meltr.schemes.aid_fp_lite import Config
    from reeltune.meltr.settings import Settings
    from reeltune.meltr.step import Meltr
    from reeltune.meltr.transformer import Config as Melter

    torch.manual_seed(rank)
    combiner = Melter.tiny(("match", "length", "size")).build()
    step = Meltr(Model(), combiner, Config().build(), held_out(), Settings())
    return flat(list(step.combiner.parameters()))


def main(out: str) -> None:
    torch.set_num_threads(1)
    ranks = distributed.start()
    rank, world = ranks.rank, ranks.world
    found = {
        "world": world,
        "hypergradients": hypergradients(slice(rank, None, world)),
        "trained": trained(rank),
        "started": started(rank),
        "melted": [
            melted(slice(rank, None, world), True, by, Path(out) / f"log{by:d}")
            for by in (False, True)
        ],
    }
    distributed.stop()
    found["threads"] = [(task / "comm").read_text() for task in Path("/proc/self/task").glob("*")]
    found["refused"] = refused()
    torch.save(found, Path(out) / f"rank{rank}.pt")
    sys.stderr.flush()
    os._exit(0)  # FSDP keeps threads of its group, which Python's end may abort


if __name__ == "__main__":
    main(*sys.argv[1:])
