"""What each of the processes that `torchrun` starts does for test_distributed.py.

    torchrun --nproc-per-node 2 two_processes.py TOYBOX CACHE OUT

Writes what rank R found to OUT/rankR.pt.
"""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import torch
from shares import shares
from small_run import Footage, Small, batch_of, prompted, unfrozen
from torch import Tensor
from weighed_losses import ALL, TASKS, Model, model_of, step_of
from weighed_losses import batch_of as batch_of_features

from reeltune.batches.loader import Loader, Order
from reeltune.errors import RankError
from reeltune.ranks.ranks import Ranks, everyone
from reeltune.training import distributed
from reeltune.training.distributed import average_gradients
from reeltune.training.loop import train
from reeltune.training.shards import clip, is_part, shard, whole
from reeltune.training.step import Contrast, chunks

BATCH = 8  # of all processes together
MODELS = {"full": unfrozen, "prompts": prompted}
CHUNKS = {"plain": None, "chunked": 3}


def gradients(footage: Footage, rank: int, world: int) -> dict[str, dict[str, Tensor]]:
    """Gradients from this rank's rows of one batch, averaged over ranks."""
    found = {}
    for kind, make in MODELS.items():
        for way, chunk in CHUNKS.items():
            model: Any = make()
            batch = list(chunks(batch_of(footage, BATCH, model), BATCH // world))[rank]
            Contrast(model, chunk=chunk)(batch)
            average_gradients(w for w in model.parameters() if w.requires_grad)
            grads = {n: w.grad for n, w in model.named_parameters() if w.grad is not None}
            found[f"{kind} {way}"] = grads
    return found


def loss_of(rows: list[Tensor]) -> Tensor:
    """Something that is not linear, and uses every row twice, in a graph that shares gradients."""
    joined = torch.cat(rows)
    return (joined.tanh() @ joined.T).sin().sum()


def gather_gradient(rank: int, world: int) -> dict[str, Tensor]:
    """The gradient that comes back through `gather`, and finite differences of the loss of all."""
    torch.manual_seed(0)
    rows = [torch.randn(3, 2, dtype=torch.float64) for _ in range(world)]
    own = rows[rank].clone().requires_grad_()
    loss_of([everyone().gather(own)]).backward()
    assert own.grad is not None
    differences = torch.zeros_like(own)
    for place in range(own.numel()):
        step = torch.zeros(own.numel(), dtype=torch.float64)
        step[place] = 1e-6
        moved = [
            loss_of([r + sign * step.view(3, 2) if i == rank else r for i, r in enumerate(rows)])
            for sign in (1, -1)
        ]
        differences.view(-1)[place] = (moved[0] - moved[1]) / 2e-6
    return {"got": own.grad / world, "wanted": differences}


def shared_gradient(rank: int, world: int) -> Tensor:
    """Gradient of a sum of two gathers, to both of which autograd hands the very same tensor."""
    text, video = (torch.ones(2, 3, requires_grad=True) for _ in range(2))
    (
        (everyone().gather(text) + everyone().gather(video)) * torch.ones(2 * world, 3)
    ).sum().backward()
    assert text.grad is not None
    assert video.grad is not None
    return torch.stack([text.grad, video.grad])


def gathered(rank: int, world: int) -> dict[str, Tensor]:
    """Rows of floats and of ids, different ones on each rank."""
    return {
        "rows": everyone().gather(torch.full((2, 3), float(rank))),
        "ids": everyone().gather(torch.tensor([10 * rank, 10 * rank + 1])),
    }


def unreached(rank: int, world: int) -> Tensor:
    """The mean of a weight that only the first rank's batch reached."""
    weight = torch.zeros(3, requires_grad=True)
    if rank == 0:
        weight.grad = torch.tensor([2.0, 4.0, 6.0])
    average_gradients([weight])
    assert weight.grad is not None
    return weight.grad


def trained(footage: Footage, folder: Path, rank: int, world: int) -> dict[str, Tensor]:
    """All weights after a run that begins with other weights on each rank, frozen ones too."""
    model = prompted()
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.1 * rank
    small = Small(model=model, settings={"epochs": 1, "batch": 8}, options={"leads": rank == 0})
    with footage.reader() as reader:
        order = Order(footage.pairs(), 8, 0, rank=rank, world=world)
        small.options["loader"] = Loader(reader, order, model.tokenize)
        outcome = train(small.run(reader, footage.pairs(), folder))
    assert outcome.steps == 3
    return {name: weight.detach() for name, weight in model.named_parameters()}


def shared_out(footage: Footage, folder: Path, ranks: Ranks) -> dict[str, Any]:
    """A CLIP whose layers are shared out: gradients of one batch and their length, and weights
    after a run, beside those of a run in which they are not."""
    model: Any = unfrozen()
    shard(model)
    batch = list(chunks(batch_of(footage, BATCH, model), BATCH // ranks.world))[ranks.rank]
    Contrast(model)(batch)
    wanted = {n: w for n, w in model.named_parameters() if w.requires_grad}
    average_gradients(w for w in wanted.values() if not is_part(w))
    found = {name: whole(w.grad).clone() for name, w in wanted.items() if w.grad is not None}
    parts = sum(is_part(weight) for weight in wanted.values())
    norm = clip(wanted.values(), 1e9)
    runs = {}
    for parted in (False, True):
        model, place = unfrozen(), folder / f"shard{parted:d}"
        options = {"leads": ranks.leads}
        small = Small(model, {"epochs": 1, "batch": 8, "lr": 1e-3, "shard": parted}, options)
        with footage.reader() as reader:
            order = Order(footage.pairs(), 8, 0, rank=ranks.rank, world=ranks.world)
            small.options["loader"] = Loader(reader, order, model.tokenize)
            train(small.run(reader, footage.pairs(), place))
            again = Small(unfrozen(), small.settings, {**options, "loader": None})
            again.options["loader"] = Loader(reader, order, again.model.tokenize)
            resumed = train(again.run(reader, footage.pairs(), place)).resumed_at
        runs[parted] = {n: w.detach().clone() for n, w in model.named_parameters()}
        runs[f"{parted} again"] = dict(again.model.named_parameters())
    return {"gradients": found, "parts": parts, "norm": norm, "resumed": resumed, "runs": runs}


def weighed(rank: int, world: int) -> dict[str, dict[str, Tensor]]:
    """Slopes and gradient by each weighting, from this rank's half of one batch."""
    found = {}
    for name in ALL:
        model = model_of().eval()  # a mean over all samples, without draws
        step = step_of(model, name)
        torch.manual_seed(3)
        facts = step(list(chunks(batch_of_features(0, 8), 8 // world))[rank])
        average_gradients(model.parameters())
        slopes = torch.tensor([facts[f"slope {task}"] for task in TASKS])
        found[name] = {"slopes": slopes, "gradient": flat(model)}
    return found


def flat(model: Model) -> Tensor:
    grads = [w.grad if w.grad is not None else torch.zeros_like(w) for w in model.parameters()]
    return torch.cat([gradient.flatten() for gradient in grads])


def alone_at_the_end(ranks: Ranks) -> list[str]:
    """What the first process says of the second, which ends without a word; and of a signal of
    torchrun, which says so."""
    said = []
    if not ranks.leads:
        os._exit(0)
    for waits in (lambda: ranks.total(torch.ones(2)), lambda: time.sleep(60)):
        try:
            with distributed.joined():
                if len(said):
                    os.kill(os.getpid(), signal.SIGTERM)
                waits()
        except RankError as error:
            said.append(str(error))
            os.environ.pop("WORLD_SIZE", None)
    return said


def main(toybox: str, cache: str, out: str) -> None:
    torch.set_num_threads(1)
    ranks = distributed.start()
    rank, world = ranks.rank, ranks.world
    footage = Footage(Path(toybox), Path(cache))
    found = {
        "world": world,
        "gradients": gradients(footage, rank, world),
        "gather": gather_gradient(rank, world),
        "shared": shared_gradient(rank, world),
        "gathered": gathered(rank, world),
        "unreached": unreached(rank, world),
        "weighed": weighed(rank, world),
        "trained": trained(footage, Path(out) / "run", rank, world),
        "shared out": shared_out(footage, Path(out), ranks),
        "shares": shares(ranks, torch.load(Path(out) / "state.pt", weights_only=True)),
    }
    torch.save(found, Path(out) / f"rank{rank}.pt")
    found["ended"] = alone_at_the_end(ranks)
    torch.save(found, Path(out) / f"rank{rank}.pt")


if __name__ == "__main__":
    main(*sys.argv[1:])
