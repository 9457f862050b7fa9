"""STCH, a smooth maximum of the losses (Lin et al., ICML 2024, 2402.19078), as torchjd has it.

The value is `mu log sum_t exp(l_t / (T mu))`: the largest loss is trained most.
"""

from pydantic import BaseModel, ConfigDict, PositiveFloat

from reeltune.training.weighting import Weighting
from reeltune.training.weightings._scalarized import Scalarized
from reeltune.training.weightings._torchjd import torchjd


class Config(BaseModel):
    """Settings; the paper tries 0.01, 0.1, 0.5 and 1, and finds small values to work."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    mu: PositiveFloat = 0.1  # the smaller, the nearer to the maximum

    def build(self, tasks: tuple[str, ...]) -> Weighting:
        """The weighting of these losses."""
        return Scalarized(torchjd("scalarization", "STCH", self.mu))
