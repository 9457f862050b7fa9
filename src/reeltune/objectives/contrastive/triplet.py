"""The triplet loss with the hardest negatives of a batch (VSE++, Faghri et al., 1707.05612)."""

from functools import partial

from pydantic import BaseModel, ConfigDict, NonNegativeFloat
from torch import Tensor

from reeltune.objectives.objective import Objective
from reeltune.objectives.triplet import Reduction, triplet


class Config(BaseModel):
    """Settings, with the margin of VSE++; the mean keeps the loss apart from the batch size."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    margin: NonNegativeFloat = 0.2  # of cosines
    hardest: bool = True  # else the sum over all negatives of a query
    reduction: Reduction = "mean"  # over queries

    def build(self) -> Objective:
        """The loss of both directions."""
        return partial(unscaled, config=self)


def unscaled(cosines: Tensor, scale: Tensor, group: Tensor, *, config: Config) -> Tensor:
    """The triplet loss of cosines, in which the temperature has no part."""
    return triplet(cosines, group=group, **config.model_dump())
