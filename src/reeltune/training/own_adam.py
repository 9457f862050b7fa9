"""Weightings that have parameters of their own, moved by an Adam of their own."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from reeltune.nn.adam_state import adam_state, load_adam_state
from reeltune.training.weighting import Weighting

STATE = "adam/"  # before names of what the optimizer remembers


class Learned(Weighting):
    """Adds gradients up while the losses are weighed, and moves after the model's weights have."""

    def __init__(self, lr: float, weight_decay: float = 0.0) -> None:
        super().__init__()
        self._lr, self._weight_decay = lr, weight_decay
        self._made: torch.optim.Adam | None = None

    @property
    def optimizer(self) -> torch.optim.Adam:
        """Made late: only then are all parameters there, on their device."""
        if self._made is None:
            self._made = torch.optim.Adam(
                self.parameters(), self._lr, weight_decay=self._weight_decay
            )
        return self._made

    def learn(self, value: Tensor, share: float) -> None:
        """Add the gradient of `share` of a value, which is to fall, to that of the parameters."""
        wanted: list[nn.Parameter] = list(self.parameters())
        for parameter, found in zip(
            wanted, torch.autograd.grad(share * value, wanted), strict=True
        ):
            parameter.grad = found if parameter.grad is None else parameter.grad + found

    def updated(self, again: Callable[[], Tensor]) -> None:
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def state(self) -> dict[str, Tensor]:
        """Parameters, buffers and moments."""
        moments = adam_state(self.optimizer, self.named_parameters())
        return super().state() | {f"{STATE}{name}": tensor for name, tensor in moments.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from such a state."""
        super().load_state({n: t for n, t in state.items() if not n.startswith(STATE)})
        moments = {n.removeprefix(STATE): t for n, t in state.items() if n.startswith(STATE)}
        load_adam_state(self.optimizer, self.named_parameters(), moments)
