"""What does a meta step of each scheme cost, beside a step of multi-task learning?

A small transformer that reads a clean and a masked text, eight losses, MELTR of UniVL's size. One
unit is a training step on the plain sum: forward and backward of one batch. `double_backward` is
AID-FP-Lite as the released code does it, through second derivatives of the whole backbone. All
variants take turns in one run; figures are medians of the ratio to the plain step of that turn.
Per meta step, StocBiO reads 4 batches and Meta-Weight-Net one, as their defaults say. No scheme
here is given the losses that training computes anyway, which would save Lite, Neumann and CG one
forward pass of the model (bench_meltr_univl.py measures it). betty and TorchOpt run the same
problem with as many products with the Hessian where they are installed (_bilevel_libraries.py).
`aligned weights`, as in GraP, are no meta step but a way to weigh the losses in every step: what is
measured is the whole step, less the plain one.
"""

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from _bilevel_libraries import libraries
from _line import emit
from reeltune.meltr.hypergradient import Problem
from reeltune.meltr.losses import Losses
from reeltune.meltr.outer import HeldOut
from reeltune.meltr.transformer import Config
from reeltune.registry import find, names
from reeltune.training.weighted import Weighted

QUICK = ["2"]
FIGURES = {
    "cost/*": ("lower", "beside a step of multi-task learning, time"),
}

WORDS, WIDTH, LAYERS, LENGTH, BATCH = 500, 128, 4, 32, 16
TASKS = ("clean0", "clean1", "clean2", "clean3", "masked0", "masked1", "masked2", "masked3")
ALIGNED = "aligned weights"


class Backbone(nn.Module):
    """Two passes of one encoder and four heads on each, as UniVL's clean and masked losses."""

    primary = "clean0"

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(WORDS, WIDTH)
        layer = nn.TransformerEncoderLayer(WIDTH, 4, 4 * WIDTH, 0.1, "gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
        self.heads = nn.ModuleList(nn.Linear(WIDTH, WORDS) for _ in range(4))

    def losses(self, ids: Tensor) -> dict[str, Tensor]:
        masked = ids.masked_fill(torch.rand(ids.shape, device=ids.device) < 0.15, 0)
        named = {}
        for kind, text in (("clean", ids), ("masked", masked)):
            hidden = self.encoder(self.embed(text)).flatten(0, 1)
            for number, head in enumerate(self.heads):
                target = ids.roll(number, 1).flatten()
                named[f"{kind}{number}"] = F.cross_entropy(head(hidden), target)
        return named


def plain(model: Any, batch: Tensor) -> None:
    sum(model.losses(batch).values()).backward()
    model.zero_grad(set_to_none=True)


def double_backward(model: Any, combiner: Any, lower: Tensor, upper: Tensor) -> list[Tensor]:
    """The released form: a graph of the gradient, then its derivative by phi."""
    weights = [w for w in model.parameters() if w.requires_grad]
    v = torch.autograd.grad(
        model.losses(upper)["clean0"], weights, allow_unused=True, materialize_grads=True
    )
    with sdpa_kernel(SDPBackend.MATH):
        melted = combiner(torch.stack(list(model.losses(lower).values())))
        first = torch.autograd.grad(melted, weights, create_graph=True)
        phi = list(combiner.parameters())
        return list(torch.autograd.grad(first, phi, v, materialize_grads=True))


def problem(model: Any, combiner: Any, batches: list[Tensor], **ways: Any) -> Problem:
    return Problem(
        weights=dict(model.named_parameters()),
        combiner=combiner,
        lower=[Losses(model, batch, TASKS) for batch in batches[:-1]],
        upper=Losses(model, batches[-1], TASKS),
        primary="clean0",
        **ways,
    )


def variants(model: Any, combiner: Any, batches: list[Tensor]) -> dict[str, Callable[[], object]]:
    """Every scheme by differences, Lite by each way, and one product with the Hessian by both."""

    def scheme(name: str, **ways: Any) -> object:
        made = find("meltr.schemes", name).Config().build()
        return made.hypergradient(problem(model, combiner, batches, **ways))

    def bent(way: Any) -> object:
        task = problem(model, combiner, batches, curved=way)
        return task.curvature(task.lower[0], task.weights)(task.weights)

    found: dict[str, Callable[[], object]] = {
        "double_backward": partial(double_backward, model, combiner, *batches[-2:])
    }
    for way in ("jvp", "vjp", "difference"):
        found[f"aid-fp-lite by {way}"] = partial(scheme, "aid-fp-lite", along=way)
    for name in names("meltr.schemes"):
        if name not in ("multi-task", "aid-fp-lite"):
            found[name] = partial(scheme, name)
    found |= {f"product by {way}": partial(bent, way) for way in ("exact", "difference")}
    return found | libraries(model, combiner, *batches[-2:])


def aligned(model: Any, batch: Tensor, held_out: Tensor) -> Callable[[], object]:
    """A step by linear weights that follow the held-out gradient, without the optimizer's."""
    weighting = find("training.weightings", "aligned").Config().build(TASKS)
    step = Weighted(model, weighting, TASKS, held_out=HeldOut([held_out]))

    def run() -> None:
        step(batch)  # type: ignore[arg-type]
        model.zero_grad(set_to_none=True)

    return run


def seconds(function: Callable[[], object], device: str) -> float:
    """On a CPU those of this process alone, whatever else the machine does."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    start = clock()
    function()
    if device == "cuda":
        torch.cuda.synchronize()
    return clock() - start


def main(rounds: int = 5) -> None:
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = Backbone().to(device).train()
    combiner = Config(tasks=TASKS).build().to(device).eval()
    batches = [torch.randint(1, WORDS, (BATCH, LENGTH), device=device) for _ in range(5)]
    tried = variants(model, combiner, batches)
    tried[ALIGNED] = aligned(model, *batches[-2:])
    ratios: dict[str, list[float]] = {name: [] for name in tried}
    for turn in range(rounds + 1):
        for name, function in tried.items():
            before = seconds(partial(plain, model, batches[0]), device)
            took = seconds(function, device)
            after = seconds(partial(plain, model, batches[0]), device)
            if turn > 0:  # the first one warms up
                ratios[name].append(2 * took / (before + after))
    ratios[ALIGNED] = [ratio - 1 for ratio in ratios[ALIGNED]]
    cost = {name: round(statistics.median(some), 2) for name, some in ratios.items()}
    best = min((way for way in cost if way.startswith("aid-fp-lite by")), key=cost.__getitem__)
    emit(
        "a meta step of each scheme beside a step of multi-task learning, eight losses",
        cost=cost,
        cheapest=best,
        cheapest_beside_double_backward=round(cost[best] / cost["double_backward"], 3),
        overhead_at_k3={n: round(cost[n] / 3, 3) for n in (best, "double_backward")},
        overhead_at_k25=round(cost[best] / 25, 3),
        rounds=rounds,
        device=device,
        torch=torch.__version__,
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
