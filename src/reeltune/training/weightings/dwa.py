"""DWA, dynamic weight average (Liu et al., CVPR 2019, 1803.10704), as torchjd has it.

From the third epoch on the weights are T times the softmax of `L_t(e-1) / L_t(e-2) / temperature`,
L the means of epochs: what falls slowly is trained more.
"""

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, PositiveFloat
from torch import Tensor

from reeltune.training.weighting import Weighting
from reeltune.training.weightings._scalarized import Scalarized
from reeltune.training.weightings._torchjd import torchjd


class Config(BaseModel):
    """Settings, with the paper's default."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    temperature: PositiveFloat = 2.0

    def build(self, tasks: tuple[str, ...]) -> Weighting:
        """The weighting of these losses."""
        return Dwa(torchjd("scalarization", "DWA", self.temperature))


class Dwa(Scalarized):
    """torchjd's DWA, told when an epoch ends, with a state, which it has not."""

    scalarizer: Any

    def end_epoch(self) -> None:
        self.scalarizer.step()

    def state(self) -> dict[str, Tensor]:
        """Means of the last epochs, and the sum of this one."""
        dwa = self.scalarizer
        past = {f"epoch/{number}": mean for number, mean in enumerate(dwa._previous_averages)}
        if dwa._loss_sum is None:
            return past
        return past | {"sum": dwa._loss_sum, "batches": torch.tensor(dwa._n_batches)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from such a state."""
        dwa, past = self.scalarizer, [name for name in state if name.startswith("epoch/")]
        dwa._previous_averages = [state[name] for name in sorted(past)]
        dwa._loss_sum, dwa._n_batches = state.get("sum"), int(state.get("batches", 0))
