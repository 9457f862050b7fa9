"""The step that trains the losses of a model as a weighting weighs them."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from reeltune.errors import ConfigError, DataError
from reeltune.meltr.derivatives import gradient
from reeltune.meltr.losses import Losses, lowered_to
from reeltune.meltr.outer import Outer
from reeltune.meltr.ranks import mean_over_ranks
from reeltune.nn.draw import Draw, alike
from reeltune.objectives.named import device_of, primary_of
from reeltune.training.step import Precision
from reeltune.training.weighting import AtStep, Weighed, Weighting
from reeltune.types import Batch

HELD_OUT = "held-out/"  # before names of what the held-out data remember


class Weighted:
    """A training step, as `training.step.Step`; `updated` is to be called after each step of the
    optimizer, and `end_epoch` after each epoch, as the loop does."""

    reads = frozenset({"precision", "combine", "combine_options"})

    def __init__(
        self,
        model: Any,
        weighting: Weighting,
        tasks: tuple[str, ...],
        precision: Precision = "fp32",
        held_out: Outer | None = None,
    ) -> None:
        if weighting.held_out and held_out is None:
            raise ConfigError(
                f"{type(weighting).__name__} looks at the primary loss on held-out data, and there "
                "are none; give meltr.outer.HeldOut(epoch)"
            )
        first = next(model.parameters())
        weighting.to(first.device, torch.promote_types(first.dtype, torch.float32))
        self.model, self.weighting, self.tasks = model, weighting, tasks
        self._precision, self._held_out = precision, held_out
        self._weights = {n: w for n, w in model.named_parameters() if w.requires_grad}
        self._last: Losses | None = None  # of the last batch, until the weights have moved

    def __call__(self, batch: Batch, share: float = 1.0) -> dict[str, float]:
        """Gradients of `share` of a step; returns the losses, and how strongly each is trained."""
        self._last = self._losses(batch, Draw(device_of(self.model)))
        at = AtStep(self._last.here(), self._weights, lambda: self._judging(batch), share)
        with alike(device_of(self.model)):
            found = self.weighting.weigh(at)
        self._require_finite(at.values, found)
        at.train(found.slopes)
        named = dict(zip(self.tasks, at.values.tolist(), strict=True))
        slopes = zip(self.tasks, found.slopes.tolist(), strict=True)
        return {"loss": float(found.value), **named, **{f"slope {t}": s for t, s in slopes}}

    def updated(self) -> None:
        """Let the weighting learn from the step that the optimizer has just taken."""
        last, self._last = self._last, None
        if last is not None:
            self.weighting.updated(lambda: self._again(last))

    def end_epoch(self) -> dict[str, float]:
        """Let the weighting learn from the epoch; there is nothing to say of it."""
        self.weighting.end_epoch()
        return {}

    def _again(self, losses: Losses) -> Tensor:
        with torch.no_grad():
            return mean_over_ranks(losses.at({}, torch.stack))

    def _judging(self, batch: Batch) -> Tensor:
        """The gradient of the primary loss on held-out data; training draws what it would without.

        It is flat, in the order of the weights.
        """
        if self._held_out is None:
            raise ConfigError("the weighting asks for held-out data, and there are none")
        place = self.tasks.index(primary_of(self.model))
        with Draw(device_of(self.model)).again():
            losses = self._losses(self._held_out.draw(batch))
            found = gradient(losses, self._weights, lambda values: values[place]).vector
        return torch.cat([part.flatten() for part in found.values()])

    def _losses(self, batch: Batch, draw: Draw | None = None) -> Losses:
        lowered = lowered_to(self._precision, self.model)
        return Losses(self.model, batch, self.tasks, lowered, draw)

    def _require_finite(self, values: Tensor, found: Weighed) -> None:
        """Raise DataError where finite losses were weighed to something that is not; the loop names
        losses that are themselves not finite."""
        made = torch.cat([found.value[None], found.slopes])
        if values.isfinite().all() and not made.isfinite().all():
            named = zip(self.tasks, values.tolist(), strict=True)
            losses = ", ".join(f"{task} {value:g}" for task, value in named)
            raise DataError(
                f"the weighting makes {made.tolist()} of the losses {losses}, and its weights are "
                "to be numbers; take another by --set training.combine, for some want losses above "
                "0"
            )

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that resuming needs."""
        held = {} if self._held_out is None else self._held_out.state_dict()
        return self.weighting.state() | {f"{HELD_OUT}{name}": t for name, t in held.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on where `state_dict` was written."""
        held = {n.removeprefix(HELD_OUT): t for n, t in state.items() if n.startswith(HELD_OUT)}
        device = device_of(self.model)
        own = {n: t.to(device) for n, t in state.items() if not n.startswith(HELD_OUT)}
        self.weighting.load_state(own)
        if self._held_out is not None:
            self._held_out.load_state_dict(held)
