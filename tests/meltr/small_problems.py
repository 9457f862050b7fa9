"""Bilevel problems that are small enough to be solved by hand, or by brute force."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from reeltune.meltr import linear, transformer
from reeltune.meltr.hypergradient import Problem
from reeltune.meltr.losses import Losses

TASKS = ("primary", "second", "third")
Quadratic = tuple[Tensor, Tensor]  # A (T, N, N) and b (T, N)


class Quadratics(nn.Module):
    """Losses `w'A_t w / 2 - b_t'w`; a batch is their A and b."""

    primary = "primary"

    def __init__(self, size: int) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(size, dtype=torch.float64))

    def losses(self, batch: Quadratic) -> dict[str, Tensor]:
        parts = zip(TASKS, *batch, strict=True)
        return {name: self.w @ a @ self.w / 2 - b @ self.w for name, a, b in parts}


def quadratic(size: int, tasks: int = 3) -> Quadratic:
    """Matrices with eigenvalues of about 0.5 to 2."""
    q = torch.randn(tasks, size, size, dtype=torch.float64)
    return q @ q.mT / size / 2 + 0.5 * torch.eye(size).double(), torch.randn(tasks, size).double()


class Perceptron(nn.Module):
    """A network with three losses that bend; a batch is inputs (B, 4) and targets (B, 3)."""

    primary = "primary"

    def __init__(self, tasks: tuple[str, ...] = TASKS) -> None:
        super().__init__()
        self.tasks = tasks
        self.body = nn.Sequential(nn.Linear(4, 6), nn.Tanh())
        self.heads = nn.ModuleList(nn.Linear(6, 1) for _ in tasks)

    def losses(self, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        hidden = self.body(batch[0])
        found = [head(hidden)[:, 0] for head in self.heads]
        named = zip(self.tasks, found, batch[1].T, strict=True)
        return {name: F.smooth_l1_loss(x, y) + x.exp().mean() / 9 for name, x, y in named}


def points(count: int = 16) -> tuple[Tensor, Tensor]:
    return torch.randn(count, 4, dtype=torch.float64), torch.randn(count, 3, dtype=torch.float64)


class Backbone(nn.Module):
    """All that makes second derivatives hard: fused attention, dropout, BatchNorm, checkpoints,
    weights used twice, and a weight that no loss reaches."""

    primary = "primary"

    def __init__(self, dropout: float = 0.1, recompute: bool = True) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 16)
        self.qkv, self.out = nn.Linear(16, 48), nn.Linear(16, 16)
        self.norm = nn.BatchNorm1d(16)
        self.dropout, self.recompute = dropout, recompute
        self.words = nn.Linear(16, 11, bias=False)
        self.words.weight = self.embed.weight
        self.unused = nn.Parameter(torch.ones(3))
        self.seen_while_training = 0

    def _block(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, 2, 8)).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return x + F.dropout(self.out(mixed), self.dropout, self.training)

    def losses(self, batch: Tensor) -> dict[str, Tensor]:
        """Losses of ids (B, L): guess each, guess the next, and stay small."""
        x = self.embed(batch)
        for _ in range(2):
            x = (
                checkpoint(self._block, x, use_reentrant=False)
                if self.recompute
                else self._block(x)
            )
        x = self.norm(x.flatten(0, 1)).view_as(x)
        logits = self.words(x)
        return {
            "primary": F.cross_entropy(logits.flatten(0, 1), batch.flatten()),
            "second": F.cross_entropy(logits[:, :-1].flatten(0, 1), batch[:, 1:].flatten()),
            "third": x.square().mean(),
        }


def ids(count: int = 4) -> Tensor:
    return torch.randint(0, 11, (count, 5))


def melter(**settings: Any) -> transformer.MeltrTransformer:
    """A small MELTR in float64, without dropout."""
    tiny = transformer.Config.tiny(TASKS).model_copy(update=settings)
    return tiny.build().double().eval()


def weighted(weights: Sequence[float] = (1.0, 0.5, 2.0)) -> linear.LinearCombiner:
    combiner = linear.Config(tasks=TASKS).build().double()
    with torch.no_grad():
        combiner.weight.copy_(torch.tensor(weights))
    return combiner


def problem(
    model: nn.Module, combiner: nn.Module, lower: Sequence[Any], upper: Any, **settings: Any
) -> Problem:
    """A problem of batches, exact wherever it is not told otherwise."""
    tasks: Any = combiner.tasks
    lowered = settings.pop("lowered", None)
    return Problem(
        weights={name: w for name, w in model.named_parameters() if w.requires_grad},
        combiner=combiner,
        lower=[Losses(model, batch, tasks, lowered) for batch in lower],
        upper=Losses(model, upper, tasks, lowered),
        primary="primary",
        **({"along": "jvp", "curved": "exact"} | settings),
    )


def network(**settings: Any) -> tuple[Problem, nn.Module, Any, Any]:
    model, lower, upper = Perceptron().double(), points(), points()
    task = problem(model, melter(), [lower], upper, **settings)
    return task, model, lower, upper
