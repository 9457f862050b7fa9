"""The ablation of Table 10: a learned weight per loss, whatever the values of the losses."""

from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from reeltune.meltr.transformer import require_tasks
from reeltune.nn.shapes import Float


class Config(BaseModel):
    """The losses to be weighted; all weights start at 1, the plain sum."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["linear"] = "linear"
    tasks: tuple[str, ...]

    @classmethod
    def tiny(cls, tasks: tuple[str, ...] = ("primary", "auxiliary")) -> "Config":
        """A combiner of two losses."""
        return cls(tasks=tasks)

    def build(self) -> "LinearCombiner":
        """The combiner with its weights at their start."""
        return LinearCombiner(self)


class LinearCombiner(nn.Module):
    """Weighted sum; the weights may become negative, as MELTR's slopes may."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        require_tasks(config.tasks)
        self.config, self.tasks = config, config.tasks
        self.weight = nn.Parameter(torch.ones(len(config.tasks)))

    def forward(self, losses: Float[Tensor, " T"]) -> Float[Tensor, ""]:
        """The melted loss of T losses in the order of `tasks`."""
        return self.weight @ losses
