"""Gradual magnitude pruning while training goes on (Zhu & Gupta, 1710.01878).

The share of zeros grows along a cubic, fast at first, when there is much to spare, and slowly at
the end; training between the steps mends what was lost. Masks are put on again after every step
of the optimiser, for the moments of Adam move weights that have no gradient.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from reeltune.compress.prune import Masks, apply_masks, without_smallest, zeros_of
from reeltune.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Cubic:
    """The share of zeros after each step, from `initial` to `final` in `steps` steps from `start`
    on.

    Masks are chosen anew every `every` steps, and last at the end of the ramp.
    """

    final: float
    steps: int
    initial: float = 0.0
    start: int = 0
    every: int = 100

    def __post_init__(self) -> None:
        zeros_of(0, self.initial)
        zeros_of(0, self.final)
        if self.final < self.initial:
            raise ConfigError(
                f"pruning goes from initial={self.initial} to final={self.final}, and zeros never "
                "come back; give a final that is no less"
            )
        for name, least in (("steps", 1), ("every", 1), ("start", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} is {getattr(self, name)}; give {least} or more")

    def amount(self, step: int) -> float:
        """Equation 1 of the paper: s_f + (s_i - s_f) (1 - (t - t_0) / steps)^3."""
        passed = min(max((step - self.start) / self.steps, 0.0), 1.0)
        return self.final + (self.initial - self.final) * (1 - passed) ** 3

    def is_due(self, step: int) -> bool:
        """Whether masks are chosen anew after this step."""
        passed = step - self.start
        return 0 <= passed <= self.steps and (passed % self.every == 0 or passed == self.steps)


class KeptZeros:
    """Weights whose zeros stay zero however they are trained: call `after_step`, or `follow`."""

    def __init__(self, weights: Mapping[str, Tensor], masks: Masks) -> None:
        if unknown := masks.keys() - weights.keys():
            raise ConfigError(
                f"there is a mask for {min(unknown)}, and no weight of that name; "
                "give the weights that the masks were made from"
            )
        self.weights, self.masks = weights, masks
        self.steps = 0  # that a followed optimiser has made
        apply_masks(weights, masks)

    def after_step(self, step: int) -> None:
        """Put the masks on again; call it after step number `step` of the optimiser, from 1 on."""
        apply_masks(self.weights, self.masks)

    def follow(self, optimizer: Optimizer) -> RemovableHandle:
        """Have every step of an optimiser followed by `after_step`; `remove()` ends it."""

        def hook(*_: object) -> None:
            self.steps += 1
            self.after_step(self.steps)

        return optimizer.register_step_post_hook(hook)


class GradualPruning(KeptZeros):
    """Masks that grow along a schedule; what is once zero stays zero."""

    def __init__(
        self, weights: Mapping[str, Tensor], schedule: Cubic, masks: Masks | None = None
    ) -> None:
        everything = {
            name: torch.ones_like(weight, dtype=torch.bool, requires_grad=False)
            for name, weight in weights.items()
        }
        super().__init__(weights, everything | (masks or {}))
        self.schedule = schedule
        self._grow(0)

    def after_step(self, step: int) -> None:
        """Put the masks on again, and larger ones where the schedule says so."""
        super().after_step(step)
        self._grow(step)

    def _grow(self, step: int) -> None:
        if not self.schedule.is_due(step):
            return
        count = sum(mask.numel() for mask in self.masks.values())
        gone = count - sum(int(mask.sum()) for mask in self.masks.values())
        sizes = {
            name: self.weights[name].detach().abs().masked_fill(~mask, -1.0)
            for name, mask in self.masks.items()
        }
        self.masks = without_smallest(sizes, max(gone, zeros_of(count, self.schedule.amount(step))))
        apply_masks(self.weights, self.masks)
