"""CAGrad, near the mean gradient and good for the worst loss (Liu et al., NeurIPS 2021,
2110.14048), as torchjd has it."""

from pydantic import BaseModel, ConfigDict, NonNegativeFloat

from reeltune.training.weighting import Weighting
from reeltune.training.weightings._of_gradients import OfGradients
from reeltune.training.weightings._torchjd import torchjd


class Config(BaseModel):
    """Settings; the paper takes 0.2 to 0.5."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    c: NonNegativeFloat = 0.5  # how far from the mean gradient it may go, as a share of its length

    def build(self, tasks: tuple[str, ...]) -> Weighting:
        """The weighting of these losses."""
        return OfGradients(torchjd("aggregation", "CAGradWeighting", self.c))
