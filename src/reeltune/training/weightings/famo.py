"""FAMO, fast adaptive multitask optimization (Liu et al., NeurIPS 2023, 2306.03792), as torchjd
has it.

The value is `c sum_t z_t log l_t`, z a softmax that is learned from how much each logarithm fell in
the last step, and c such that the slopes mix gradients of sum 1. The losses must be above 0. Each
step takes one more forward pass, without a graph; of several batches of a step, of the last.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, NonNegativeFloat
from torch import Tensor

from reeltune.nn.adam_state import adam_state, load_adam_state
from reeltune.training.weighting import Weighting
from reeltune.training.weightings._scalarized import Scalarized
from reeltune.training.weightings._torchjd import torchjd


class Config(BaseModel):
    """Settings, with the defaults of the paper."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    lr: NonNegativeFloat = 0.025  # of an Adam
    weight_decay: NonNegativeFloat = 1e-3

    def build(self, tasks: tuple[str, ...]) -> Weighting:
        """The weighting of these losses."""
        famo = torchjd(
            "scalarization", "FAMO", len(tasks), lr=self.lr, weight_decay=self.weight_decay
        )
        return Famo(famo)


class Famo(Scalarized):
    """torchjd's FAMO, shown the losses after a step, with a state for its Adam, which has none."""

    scalarizer: Any

    def updated(self, again: Callable[[], Tensor]) -> None:
        self.scalarizer.update(again())

    def state(self) -> dict[str, Tensor]:
        """What torchjd keeps as a module, and the moments of its Adam."""
        adam = self.scalarizer._optimizer
        moments = {} if adam is None else adam_state(adam, [("adam", self.scalarizer._w)])
        return super().state() | moments

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from such a state."""
        famo = self.scalarizer
        super().load_state({n: t for n, t in state.items() if not n.startswith("adam/")})
        famo._optimizer = torch.optim.Adam([famo._w], famo.lr, weight_decay=famo.weight_decay)
        load_adam_state(famo._optimizer, [("adam", famo._w)], state)
