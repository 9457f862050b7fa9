"""InfoNCE that waits while a file is there, so that a run cannot end before a test stops it."""

import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from torch import Tensor

from reeltune.objectives.contrastive.info_nce import scaled
from reeltune.objectives.objective import Objective
from reeltune.training.interrupts import GRACE


class Config(BaseModel):
    """Settings of the loss."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gate: Path  # waited for to go

    def build(self) -> Objective:
        """The loss of one run."""
        return Waiting(self.gate)


class Waiting:
    """Takes long over the first call, so that the state before each later step is kept, and waits
    from the third on, since the first step also asks for the names of the losses."""

    def __init__(self, gate: Path) -> None:
        self.gate, self.calls = gate, 0

    def __call__(self, cosines: Tensor, scale: Tensor, group: Tensor) -> Tensor:
        self.calls += 1
        if self.calls == 1 and self.gate.exists():
            time.sleep(GRACE)
        while self.calls > 2 and self.gate.exists():
            time.sleep(0.02)
        return scaled(cosines, scale, group)
