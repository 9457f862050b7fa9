"""GradNorm, gradients of balanced lengths (Chen et al., ICML 2018, 1711.02257).

With weights w, G_t is the length of the gradient of `w_t l_t`. The weights lower
`sum_t |G_t - mean(G) r_t^alpha|`, r_t being how much of the first l_t is left, over the mean of
that (equations 1 and 2): what is learned slowly gets the longer gradient.
"""

import torch
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, NonNegativeFloat
from torch import Tensor, nn

from reeltune.errors import ConfigError
from reeltune.training.own_adam import Learned
from reeltune.training.weighting import AtStep, Weighed, Weighting


class Config(BaseModel):
    """Settings; the paper takes alpha 1.5 where tasks differ much."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    alpha: float = 1.5
    lr: NonNegativeFloat = 0.025  # of an Adam

    def build(self, tasks: tuple[str, ...]) -> Weighting:
        """The weighting of these losses."""
        return GradNorm(len(tasks), self.alpha, self.lr)


class GradNorm(Learned):
    """The weights are T times a softmax, so that they stay positive and of sum T, to which the
    paper scales them after each step.

    The paper takes gradients by the last layer that tasks share; here it is all weights that every
    loss reaches, because a model does not say which layer that is.
    """

    first: Float[Tensor, " T"]

    def __init__(self, tasks: int, alpha: float, lr: float) -> None:
        super().__init__(lr)
        self.alpha = alpha
        self.logits = nn.Parameter(torch.zeros(tasks))
        self.register_buffer("first", torch.zeros(tasks))  # losses of the first batch

    def weigh(self, at: AtStep) -> Weighed:
        """The weights as they are; their gradient is added up for the step that follows."""
        if not self.first.any():
            self.first.copy_(at.values)
        rows, shared = at.gradients
        if not shared.any():
            raise ConfigError(
                "gradnorm balances gradients by the weights that all losses reach, and this model "
                "has none; take another weighting, such as --set training.combine=uncertainty"
            )
        weights = len(rows) * self.logits.softmax(0)
        lengths = weights * rows[:, shared].norm(dim=1).to(weights)
        left = at.values.to(weights) / self.first
        wanted = lengths.detach().mean() * (left / left.mean()) ** self.alpha
        self.learn((lengths - wanted).abs().sum(), at.share)
        slopes = weights.detach().to(at.values)
        return Weighed(slopes @ at.values, slopes)
