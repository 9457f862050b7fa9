"""Weights by learned uncertainties (Kendall et al., CVPR 2018, 1705.07115), as torchjd has it.

The value is `sum_t exp(-s_t) l_t / 2 + s_t / 2`; the log variances s start at 0.
"""

from pydantic import BaseModel, ConfigDict, NonNegativeFloat

from reeltune.training.weighting import Weighting
from reeltune.training.weightings._scalarized import LearnedScalarized
from reeltune.training.weightings._torchjd import torchjd


class Config(BaseModel):
    """Settings; the paper learns the log variances at the rate of the network."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    lr: NonNegativeFloat = 1e-3  # of an Adam

    def build(self, tasks: tuple[str, ...]) -> Weighting:
        """The weighting of these losses."""
        return LearnedScalarized(torchjd("scalarization", "UW", len(tasks)), self.lr)
