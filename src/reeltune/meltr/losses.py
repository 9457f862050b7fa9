"""The losses of one batch as a function of the weights, and of nothing else."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from reeltune.meltr.combiner import ordered
from reeltune.nn.draw import Draw
from reeltune.objectives.named import device_of, named_losses

Weights = dict[str, Tensor]  # also a vector of their shape: a gradient, a direction
Result = TypeVar("Result")


class Losses:
    """The named losses of one batch, evaluated at any weights, each time in the same way.

    Every evaluation draws the same dropout and masks, those of `draw`. Buffers, such as
    running statistics of BatchNorm, are copies that are thrown away, so a meta step leaves no
    trace in the model. Gradients may be taken inside `at` alone: activation checkpointing
    evaluates the model again on the way back, and must find the same weights.
    """

    def __init__(
        self,
        model: nn.Module,
        batch: Any,
        tasks: tuple[str, ...],
        precision: Literal["fp32", "bf16"] = "fp32",
        draw: Draw | None = None,
    ) -> None:
        self.model, self.batch, self.tasks = model, batch, tasks
        self.precision = precision
        self.draw = draw or Draw.fresh(device_of(model))

    def here(self) -> list[Tensor]:
        """The losses as training takes them: at the model's own weights and buffers, in the same
        draw, from which the generators go on."""
        self.draw.begin()
        return losses_of(self.model, self.batch, self.tasks, self.precision == "bf16")

    def at(
        self, weights: Weights, then: Callable[[list[Tensor]], Result], exact: bool = False
    ) -> Result:
        """`then(losses)` while the model has `weights`; `exact` forbids reduced precision."""
        lowered = self.precision == "bf16" and not exact

        def evaluate() -> Result:
            return then(losses_of(self.model, self.batch, self.tasks, lowered))

        held = _Held(self.model, evaluate)
        swapped = {f"model.{name}": tensor for name, tensor in weights.items()}
        copies = {f"model.{n}": buffer.clone() for n, buffer in self.model.named_buffers()}
        with self.draw.again():
            return torch.func.functional_call(held, (swapped, copies), ())


class Taken:
    """A forward pass as training takes it; the first call makes it and takes `seconds`."""

    def __init__(self, losses: Losses) -> None:
        self._losses, self._found, self.seconds = losses, list[Tensor](), 0.0

    def __call__(self) -> list[Tensor]:
        if not self._found:
            start = time.perf_counter()
            self._found = self._losses.here()
            self.seconds = time.perf_counter() - start
        return self._found


class _Held(nn.Module):
    """Gives `functional_call` a forward that is any function of the model."""

    def __init__(self, model: nn.Module, function: Callable[[], Any]) -> None:
        super().__init__()
        self.model, self.function = model, function

    def forward(self) -> Any:
        return self.function()


def train_by(losses: Sequence[Tensor], slopes: Float[Tensor, " T"]) -> None:
    """Add the gradient of the losses, each times its slope, to the weights' own, in one backward
    pass; losses that no weight reaches add nothing."""
    reached = [
        (loss, slope.to(loss.dtype))
        for loss, slope in zip(losses, slopes, strict=True)
        if loss.requires_grad
    ]
    torch.autograd.backward([loss for loss, _ in reached], [slope for _, slope in reached])


def losses_of(
    model: Any, batch: Any, tasks: tuple[str, ...], lowered: bool = False
) -> list[Tensor]:
    """The losses of a batch in the order of `tasks`, as `named_losses` gives them."""
    return ordered(named_losses(model, batch, lowered), tasks)
