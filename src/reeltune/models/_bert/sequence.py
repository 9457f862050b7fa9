"""What an encoder made of texts or videos."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class Sequence:
    """States of a batch; `mask` is true at real tokens."""

    states: Float[Tensor, "B L D"]
    mask: Bool[Tensor, "B L"]

    def __len__(self) -> int:
        return len(self.mask)

    def rows(self, chosen: Tensor) -> "Sequence":
        """The chosen rows."""
        return Sequence(self.states[chosen], self.mask[chosen])

    def then(self, other: "Sequence") -> "Sequence":
        """These states, and behind them the others."""
        states = torch.cat([self.states, other.states], dim=1)
        return Sequence(states, torch.cat([self.mask, other.mask], dim=1))
