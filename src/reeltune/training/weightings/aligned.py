"""Weights that turn the gradient of all losses towards that of the primary loss on held-out data,
as in GraP (Karpukhin and Savchenko, 2605.07756).

Each gradient is taken at length 1. With C their inner products and p those with the held-out
gradient, the weights |a| / sqrt(|a|' C |a|) give a gradient of length 1, and a rises along its
cosine with the held-out one, `sum_t w_t p_t`. Unlike MELTR's, the weights do not depend on the
values of the losses. Each step takes a backward pass for every loss and one on held-out data; the
paper makes do with gradients by the output of an encoder, which a model here need not have.
"""

import torch
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat
from torch import Tensor, nn

from reeltune.training.own_adam import Learned
from reeltune.training.weighting import AtStep, Weighed, Weighting


class Config(BaseModel):
    """Settings; `smooth` is that of the authors' code, `lr` our choice."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    lr: NonNegativeFloat = 0.01  # of an Adam
    smooth: float = Field(default=0.9, ge=0, lt=1)  # how much of C and p stays from step to step

    def build(self, tasks: tuple[str, ...]) -> Weighting:
        """The weighting of these losses."""
        return Aligned(len(tasks), self.lr, self.smooth)


class Aligned(Learned):
    """Linear weights, all alike at the start."""

    held_out = True
    products: Float[Tensor, "T T+1"]
    seen: Float[Tensor, ""]

    def __init__(self, tasks: int, lr: float, smooth: float) -> None:
        super().__init__(lr)
        self.smooth = smooth
        self.logits = nn.Parameter(torch.ones(tasks))
        self.register_buffer("products", torch.zeros(tasks, tasks + 1))  # C, and p as last column
        self.register_buffer("seen", torch.zeros(()))  # share of `products` that was ever seen

    def weigh(self, at: AtStep) -> Weighed:
        """Weights of the losses by which their gradient has length 1."""
        rows = at.gradients.rows
        lengths = rows.norm(dim=1)
        unit, ahead = _unit(rows), _unit(at.held_out()[None])
        self._see(unit @ torch.cat([unit, ahead]).mT)
        inner, cosines = (self.products / self.seen).tensor_split([len(rows)], dim=1)
        size = self.logits.abs()
        weights = size / (size @ inner @ size).clamp_min(1e-12).sqrt()
        self.learn(-(weights @ cosines[:, 0]), at.share)
        reached = lengths > 0
        slopes = (weights.detach().to(rows) / lengths.where(reached, 1)) * reached
        return Weighed(slopes.to(at.values) @ at.values, slopes.to(at.values))

    def _see(self, found: Tensor) -> None:
        """Move the running means; divided by `seen` they are right from the first step on."""
        self.products.mul_(self.smooth).add_((1 - self.smooth) * found.to(self.products))
        self.seen.mul_(self.smooth).add_(1 - self.smooth)


def _unit(rows: Tensor) -> Tensor:
    return torch.nn.functional.normalize(rows, dim=1)
