"""Max-margin ranking over all pairs of a batch, the joint loss of UniVL (2002.06353, release)."""

from functools import partial

from pydantic import BaseModel, ConfigDict, NonNegativeFloat
from torch import Tensor

from reeltune.objectives.max_margin import max_margin
from reeltune.objectives.objective import Objective


class Config(BaseModel):
    """Settings, with the margin of UniVL's release."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    margin: NonNegativeFloat = 0.1  # of cosines

    def build(self) -> Objective:
        """The loss of both directions."""
        return partial(unscaled, margin=self.margin)


def unscaled(cosines: Tensor, scale: Tensor, group: Tensor, *, margin: float) -> Tensor:
    """The mean of hinges of cosines, in which the temperature has no part."""
    return max_margin(cosines, group, margin)
