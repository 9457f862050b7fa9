"""The losses of one batch as a function of the weights, and of nothing else."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.nn.parallel import DataParallel, DistributedDataParallel

from reeltune.errors import ConfigError
from reeltune.meltr.combiner import ordered
from reeltune.nn.draw import Draw
from reeltune.nn.shapes import Float
from reeltune.objectives.named import device_of, own_losses, scalars

Weights = dict[str, Tensor]  # also a vector of their shape: a gradient, a direction
Function = Callable[[Any, Any], Any]  # of a model and a batch: its losses by name
Result = TypeVar("Result")


class Losses:
    """The named losses of one batch, evaluated at any weights, each time in the same way.

    Every evaluation draws the same dropout and masks, those of `draw`. Buffers, such as
    running statistics of BatchNorm, are copies that are thrown away, so a meta step leaves no
    trace in the model. Gradients may be taken inside `at` alone: activation checkpointing
    evaluates the model again on the way back, and must find the same weights.

    The model runs in the precision `lowered`; None: in its own. `function` reads the losses of a
    model and a batch. At other weights it is given the module itself, without what joins processes
    or compiles it.
    """

    def __init__(
        self,
        model: nn.Module,
        batch: Any,
        tasks: tuple[str, ...],
        lowered: torch.dtype | None = None,
        draw: Draw | None = None,
        function: Function = own_losses,
    ) -> None:
        self.model, self.batch, self.tasks = model, batch, tasks
        self.lowered, self.function = lowered, function
        self.draw = draw or Draw.fresh(device_of(model))

    @property
    def shares(self) -> bool:
        """Whether training's own pass is as exact as `at` is, and does the same."""
        return self.lowered is None and not any(map(_compiled, _layers(self.model)))

    def here(self) -> list[Tensor]:
        """The losses as training takes them: at the model's own weights and buffers, in the same
        draw, from which the generators go on."""
        self.draw.begin()
        return self._read(self.model, self.lowered)

    def at(
        self, weights: Weights, then: Callable[[list[Tensor]], Result], exact: bool = False
    ) -> Result:
        """`then(losses)` while the model has `weights`; `exact` forbids reduced precision."""
        model = unwrapped(self.model)
        # Gradients in float16 are lost without the scale that training has.
        full = exact or self.lowered == torch.float16

        def evaluate() -> Result:
            with _refusing_autocast(device_of(model).type) if full else nullcontext():
                return then(self._read(model, None if full else self.lowered))

        held = _Held(model, evaluate)
        swapped = {f"model.{name}": tensor for name, tensor in weights.items()}
        copies = {f"model.{n}": buffer.clone() for n, buffer in model.named_buffers()}
        with self.draw.again():
            return torch.func.functional_call(held, (swapped, copies), ())

    def _read(self, model: nn.Module, lowered: torch.dtype | None) -> list[Tensor]:
        return losses_of(model, self.batch, self.tasks, self.function, lowered)


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
    model: Any,
    batch: Any,
    tasks: tuple[str, ...],
    function: Function = own_losses,
    lowered: torch.dtype | None = None,
) -> list[Tensor]:
    """The losses of a batch in the order of `tasks`, as `read` gives them."""
    return ordered(read(model, batch, function, lowered), tasks)


def read(
    model: Any, batch: Any, function: Function = own_losses, lowered: torch.dtype | None = None
) -> dict[str, Tensor]:
    """The losses of a batch by name, in float32 or finer, of a model that runs in `lowered`."""
    with torch.autocast(device_of(model).type, lowered, enabled=lowered is not None):
        found = function(model, batch)
    return scalars(found, called(model, function))


def lowered_to(precision: str, model: nn.Module) -> torch.dtype | None:
    """What a model runs in: bfloat16 where `precision` is bf16, or else the caller's autocast."""
    if precision == "bf16":
        return torch.bfloat16
    kind = device_of(model).type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None


def called(model: Any, function: Function) -> str:
    """What messages call the source of losses."""
    if function is own_losses:
        return type(model).__name__
    return str(getattr(function, "__name__", type(function).__name__))


def unwrapped(model: nn.Module) -> nn.Module:
    """The module itself, without what joins processes or compiles it."""
    *_, innermost = _layers(model)
    return innermost


def require_whole(model: nn.Module) -> None:
    """Raise ConfigError where each process has a shard of the weights alone: a meta step gives the
    module other weights, which those that gather the shards would not see."""
    fsdp = sys.modules.get("torch.distributed.fsdp")  # whoever shards has imported it
    if fsdp is None:
        return
    kinds = (fsdp.FullyShardedDataParallel, fsdp.FSDPModule)
    for name, module in model.named_modules():
        if isinstance(module, kinds):
            raise ConfigError(
                f"{name or 'the model'} is sharded by FSDP, and MELTR needs whole weights in every "
                "process; wrap the model in torch.nn.parallel.DistributedDataParallel instead"
            )


def _layers(model: nn.Module) -> Iterator[nn.Module]:
    """A module, and what it wraps."""
    yield model
    if isinstance(model, DistributedDataParallel | DataParallel):
        yield from _layers(model.module)
    elif (compiled := _compiled(model)) is not None:
        yield from _layers(compiled)


def _compiled(model: nn.Module) -> nn.Module | None:
    """What `torch.compile` made the module of, if it did."""
    found = getattr(model, "_orig_mod", None)
    return found if isinstance(found, nn.Module) else None


@contextmanager
def _refusing_autocast(kind: str) -> Iterator[None]:
    """Where small differences of losses count, no autocast that the losses enter themselves."""

    def refuse(module: nn.Module, _: Any) -> None:
        if torch.is_autocast_enabled(kind):
            raise ConfigError(
                f"{type(module).__name__} runs in an autocast that the losses enter themselves, "
                "where slopes by differences are lost in rounding; enter it around melt.step and "
                'melt.update instead, or set along to "vjp"'
            )

    watching = register_module_forward_pre_hook(refuse)
    try:
        yield
    finally:
        watching.remove()
