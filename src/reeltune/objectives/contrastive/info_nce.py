"""Symmetric InfoNCE at the model's temperature (Radford et al., 2103.00020): the default."""

from pydantic import BaseModel, ConfigDict
from torch import Tensor

from reeltune.objectives.info_nce import info_nce
from reeltune.objectives.objective import Objective


class Config(BaseModel):
    """It has no settings; the temperature is the model's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def build(self) -> Objective:
        """The loss of scaled cosines."""
        return scaled


def scaled(cosines: Tensor, scale: Tensor, group: Tensor) -> Tensor:
    """InfoNCE of cosines at a temperature of 1 / `scale`."""
    return info_nce(scale * cosines, group)
