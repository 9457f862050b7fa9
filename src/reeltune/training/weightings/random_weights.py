"""Random loss weighting (Lin et al., TMLR 2022, 2111.10603), as torchjd has it: the softmax of
normal numbers, drawn anew for every batch."""

from pydantic import BaseModel, ConfigDict

from reeltune.training.weighting import Weighting
from reeltune.training.weightings._scalarized import Scalarized
from reeltune.training.weightings._torchjd import torchjd


class Config(BaseModel):
    """There is nothing to set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def build(self, tasks: tuple[str, ...]) -> Weighting:
        """The weighting of these losses."""
        return Scalarized(torchjd("scalarization", "Random"))
