"""UPGrad, the mean of gradients each of which was made to conflict with none (Quinton and Rey,
2406.16232), as torchjd has it."""

from pydantic import BaseModel, ConfigDict

from reeltune.training.weighting import Weighting
from reeltune.training.weightings._of_gradients import OfGradients
from reeltune.training.weightings._torchjd import torchjd


class Config(BaseModel):
    """There is nothing to set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def build(self, tasks: tuple[str, ...]) -> Weighting:
        """The weighting of these losses."""
        return OfGradients(torchjd("aggregation", "UPGradWeighting"))
