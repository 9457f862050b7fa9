"""IMTL-L, learned scales (Liu et al., ICLR 2021), as torchjd has it.

The value is `sum_t exp(s_t) l_t - s_t`; the scales s start at 0, where it is the plain sum.
"""

from pydantic import BaseModel, ConfigDict, NonNegativeFloat

from reeltune.training.weighting import Weighting
from reeltune.training.weightings._scalarized import LearnedScalarized
from reeltune.training.weightings._torchjd import torchjd


class Config(BaseModel):
    """Settings; the paper learns the scales at the rate of the network."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    lr: NonNegativeFloat = 1e-3  # of an Adam

    def build(self, tasks: tuple[str, ...]) -> Weighting:
        """The weighting of these losses."""
        return LearnedScalarized(torchjd("scalarization", "IMTLL", len(tasks)), self.lr)
