"""What a weighting is, which says at every step how strongly each loss is trained."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from reeltune.meltr.losses import train_by
from reeltune.meltr.ranks import mean_over_ranks


class Weighed(NamedTuple):
    """The losses as one, for the log, and how strongly each of them is trained."""

    value: Float[Tensor, ""]
    slopes: Float[Tensor, " T"]


class Gradients(NamedTuple):
    """The gradient of each loss by all trained weights, and which of these all losses reach."""

    rows: Float[Tensor, "T P"]
    shared: Bool[Tensor, " P"]


class AtStep:
    """What a weighting may look at: the values of the losses and, where it asks, gradients.

    All are means over processes, so that every process finds the same slopes.
    """

    def __init__(
        self,
        losses: Sequence[Tensor],
        weights: Mapping[str, Tensor],
        held_out: Callable[[], Float[Tensor, " P"]],
        share: float = 1.0,
    ) -> None:
        self._losses, self._weights, self._held_out = losses, weights, held_out
        self.share = share  # of a step of the optimizer, for what a weighting adds up itself
        self.values: Float[Tensor, " T"] = mean_over_ranks(torch.stack(list(losses)).detach())

    @cached_property
    def gradients(self) -> Gradients:
        """Gradients of all losses, which take T backward passes and memory for T of them."""
        rows, reached = zip(*map(self._row, self._losses), strict=True)
        return Gradients(mean_over_ranks(torch.stack(rows)), torch.stack(reached).all(0))

    def _row(self, loss: Tensor) -> tuple[Tensor, Tensor]:
        """The gradient of a loss, flat, and the weights that it reaches."""
        weights = list(self._weights.values())
        found: Sequence[Tensor | None] = [None] * len(weights)
        if loss.requires_grad:
            found = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
        flat = [
            (torch.zeros_like(w) if g is None else g).flatten()
            for w, g in zip(weights, found, strict=True)
        ]
        reached = [
            torch.full((w.numel(),), g is not None, device=w.device)
            for w, g in zip(weights, found, strict=True)
        ]
        return torch.cat(flat), torch.cat(reached)

    def held_out(self) -> Float[Tensor, " P"]:
        """The gradient of the primary loss on the next batch of the held-out data."""
        return self._held_out()

    def train(self, slopes: Float[Tensor, " T"]) -> None:
        """Add the gradient of the losses so weighted to the weights' own: from the gradients, if
        these were asked for, and otherwise in one backward pass."""
        if "gradients" not in vars(self):
            train_by(self._losses, self.share * slopes)
            return
        rows = self.gradients.rows
        total = self.share * (slopes.to(rows) @ rows)
        parts = total.split([weight.numel() for weight in self._weights.values()])
        for weight, part in zip(self._weights.values(), parts, strict=True):
            own = part.view_as(weight)
            weight.grad = own.clone() if weight.grad is None else weight.grad + own


class Weighting(nn.Module):
    """Says how strongly each loss is trained; what it learned is in its `state`.

    A subclass has `weigh`, and what it needs of the rest.
    """

    held_out: ClassVar[bool] = False  # whether it asks for gradients on held-out data

    def weigh(self, at: AtStep) -> Weighed:
        """The slopes of the losses at one step."""
        raise NotImplementedError

    def updated(self, again: Callable[[], Float[Tensor, " T"]]) -> None:
        """Learn from a step of the optimizer that has just been taken; `again` gives the losses
        of its last batch at the moved weights, in the same draw."""

    def end_epoch(self) -> None:
        """Learn from an epoch that has just ended."""

    def state(self) -> dict[str, Tensor]:
        """All that a resumed run must have again."""
        return dict(self.state_dict())

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from such a state."""
        self.load_state_dict(dict(state))
