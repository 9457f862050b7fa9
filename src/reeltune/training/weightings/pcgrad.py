"""PCGrad, gradients without what conflicts (Yu et al., NeurIPS 2020, 2001.06782), as torchjd has
it.

The order in which a gradient is projected away from the others is drawn for every batch.
"""

from pydantic import BaseModel, ConfigDict

from reeltune.training.weighting import Weighting
from reeltune.training.weightings._of_gradients import OfGradients
from reeltune.training.weightings._torchjd import torchjd


class Config(BaseModel):
    """There is nothing to set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def build(self, tasks: tuple[str, ...]) -> Weighting:
        """The weighting of these losses."""
        return OfGradients(torchjd("aggregation", "PCGradWeighting"))
