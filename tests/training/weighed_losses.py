"""Losses whose gradients are known, and a small model that is trained by a weighting."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reeltune.meltr.outer import HeldOut
from reeltune.registry import find, names
from reeltune.training.weighted import Weighted
from reeltune.training.weighting import AtStep, Weighting
from reeltune.types import Batch, Tokens

TASKS = ("match", "length", "size")
ALL = names("training.weightings")


def weighting(name: str, tasks: int = 3, **options: Any) -> Weighting:
    built = find("training.weightings", name).Config(**options).build(TASKS[:tasks])
    assert isinstance(built, Weighting)
    return built.double()


def at(rows: Sequence[Sequence[float]], values: Sequence[float], ahead: Any = None) -> AtStep:
    """A step at which the losses have these gradients and values."""
    given = torch.tensor(rows, dtype=torch.float64)
    weight = nn.Parameter(torch.zeros(given.shape[1], dtype=torch.float64))
    losses = [row @ weight + value for row, value in zip(given, values, strict=True)]
    held_out = torch.tensor(ahead or rows[0], dtype=torch.float64)
    return AtStep(losses, {"w": weight}, lambda: held_out)


def plain(*values: float) -> AtStep:
    """A step with these values, for weightings that look at no gradients."""
    return at([[1.0]] * len(values), values)


class Model(nn.Module):
    """Features of clips, three losses above 0, a weight that none reaches, and dropout."""

    primary = "match"

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(5, 8), nn.Linear(8, 3)
        self.norm, self.drop = nn.BatchNorm1d(8), nn.Dropout(0.2)
        self.unused = nn.Parameter(torch.ones(2))

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        x = self.head(self.drop(self.norm(self.body(batch.frames.mean(1)).tanh())))
        return {
            "size": x.square().mean(),
            "match": F.cross_entropy(x, batch.video % 3),
            "length": F.smooth_l1_loss(x[:, 0], batch.mask.sum(1).to(x.dtype)),
        }


def model_of(seed: int = 0) -> Model:
    torch.manual_seed(seed)
    return Model().train()


def batch_of(number: int, count: int = 6) -> Batch:
    source = torch.Generator().manual_seed(number)
    tokens = Tokens(torch.full((count, 3), number), torch.ones(count, 3, dtype=torch.bool))
    return Batch(
        torch.randn(count, 2, 5, generator=source),
        torch.rand(count, 2, generator=source) > 0.3,
        tokens,
        torch.randint(0, 9, (count,), generator=source),
        {},
    )


def step_of(model: Model, name: str, **options: Any) -> Weighted:
    def epoch(number: int, start: int) -> Iterator[Batch]:
        return iter([batch_of(1000 + 10 * number + i) for i in range(start, 4)])

    built = find("training.weightings", name).Config(**options).build(TASKS)
    return Weighted(model, built, TASKS, held_out=HeldOut(epoch))
