"""How exact are slopes and products with the Hessian by differences, beside the noise of batches?

UniVL's eight losses in float32, slopes along the gradient of L_pri; the truth is of automatic
differentiation in float64, at the same weights and in the same draw. `one` is a step to one side
of the weights, whose losses training computes anyway, `two` one to each side, by length of the
step; `set` is the length of `derivatives.difference_step`. Errors and noise are Euclidean lengths
over the losses, relative to that of the slopes; noise is the standard deviation from one training
batch to another, along the same direction. `worst` is the largest error of a loss, relative to the
noise of that loss.

    python benchmarks/bench_slopes.py tiny 8 0     # random weights
    python benchmarks/bench_slopes.py tiny 8 400   # after 400 steps of Adam
    python benchmarks/bench_slopes.py full 3 0
"""

import sys
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from _line import emit
from bench_meltr_univl import SHAPES, Size, batches, model_of
from reeltune.meltr.derivatives import along, curvature, difference_step
from reeltune.meltr.hypergradient import Problem
from reeltune.meltr.losses import Losses, Weights
from reeltune.meltr.transformer import Config as Melter
from reeltune.meltr.vectors import norm, plus
from reeltune.models._univl.tasks import TASKS

QUICK = ["tiny", "2", "0"]
RUNS = [["tiny", "8", "0"], ["tiny", "8", "400"], ["full", "3", "0"]]

LENGTHS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
Named = dict[str, Tensor]


def trained(model: Any, size: Size, steps: int) -> None:
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    seen = batches(model, size, 40) if steps else []
    for step in range(steps):
        torch.stack(list(model.losses(seen[step % 40]).values())).sum().backward()
        optimizer.step()
        optimizer.zero_grad()


def weights_of(model: Any) -> Weights:
    return {name: w for name, w in model.named_parameters() if w.requires_grad}


def double(losses: Losses) -> Losses:
    batch = replace(losses.batch, frames=losses.batch.frames.double())
    return Losses(losses.model, batch, TASKS, draw=losses.draw)


def wide(vector: Weights) -> Weights:
    return {name: tensor.double() for name, tensor in vector.items()}


def slopes(losses: Losses, v: Weights) -> Named:
    """By differences, by the way they are taken."""
    weights, found = weights_of(losses.model), dict[str, Tensor]()
    steps = {f"{length:g}": length / float(norm(v)) for length in LENGTHS}

    def at(step: float) -> Tensor:
        return losses.at(plus(weights, v, step), torch.stack, exact=True)

    with torch.no_grad():
        here = losses.at(weights, torch.stack, exact=True)
        for name, step in [*steps.items(), ("set", difference_step(v, sides=1))]:
            found[f"one {name}"] = (at(step) - here) / step
        for name, step in [*steps.items(), ("set", difference_step(v))]:
            found[f"two {name}"] = (at(step) - at(-step)) / (2 * step)
    return {name: one.double() for name, one in found.items()}


def bent(losses: Losses, combiner: Any, v: Weights, way: Any) -> Weights:
    return wide(curvature(losses, weights_of(losses.model), combiner, way)(v))


def length(rows: Tensor) -> float:
    """Root of the mean square of the rows' lengths."""
    return float(rows.square().sum(1).mean().sqrt())


def main(size: Size = "tiny", count: str = "8", steps: str = "0") -> None:
    torch.manual_seed(0)
    model, combiner = model_of(size), Melter(tasks=TASKS, residual=True).build().eval()
    trained(model, size, int(steps))
    some = [Losses(model, batch, TASKS) for batch in batches(model, size, 2 * int(count))]
    lower, upper = some[: int(count)], some[int(count) :]
    ways: dict[str, Any] = {"gamma": 0.1, "regularise": "upper", "combiner": combiner}
    made = [
        Problem(weights=weights_of(model), lower=[a], upper=b, primary="align", **ways)
        for a, b in zip(lower, upper, strict=True)
    ]
    v = [task.judged(task.weights).gradient for task in made]
    found = [slopes(*pair) for pair in zip(lower, v, strict=True)]
    curved = bent(lower[0], combiner, v[0], "difference") if size == "tiny" else {}
    model.double(), combiner.double()
    exact = [double(one) for one in lower]

    def true(number: int, batch: int) -> Tensor:
        return along(exact[batch], weights_of(model), wide(v[number]), "vjp")[1]

    places = range(len(v))
    truth = torch.stack([true(place, place) for place in places])
    other = torch.stack([true(place, (place + 1) % len(v)) for place in places])
    noise = (other - truth) / 2**0.5
    errors = {name: torch.stack([one[name] for one in found]) - truth for name in found[0]}
    off = {name: length(error) / length(truth) for name, error in errors.items()}
    each = noise.square().mean(0).sqrt()
    worst = {n: float((e.square().mean(0).sqrt() / each).max()) for n, e in errors.items()}
    figures: dict[str, object] = {}
    if curved:
        right = bent(exact[0], combiner, wide(v[0]), "exact")
        figures["product"] = f"{float(norm(plus(curved, right, -1.0)) / norm(right)):.1e}"
    emit(
        "errors of slopes by differences in float32, beside the noise of batches",
        size=size,
        steps=int(steps),
        batch_and_frames=SHAPES[size],
        batches=len(v),
        noise=round(length(noise) / length(truth), 3),
        error={name: f"{value:.1e}" for name, value in off.items()},
        worst={name: f"{worst[name]:.1e}" for name in ("one set", "two set")},
        **figures,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]
