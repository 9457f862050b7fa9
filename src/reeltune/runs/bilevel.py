"""Makes the step that a recipe's `meltr` asks for."""

from typing import Any

import torch
from torch import Tensor, nn

from reeltune.batches.loader import Loader
from reeltune.errors import ConfigError
from reeltune.meltr import linear, transformer
from reeltune.meltr.combiner import Total
from reeltune.meltr.melting import Melting
from reeltune.meltr.outer import HeldOut, Outer, Recent
from reeltune.meltr.step import Meltr
from reeltune.meltr.warm_start import warm_start
from reeltune.nn.draw import Draw
from reeltune.objectives.named import device_of, named_losses, names_of, primary_of
from reeltune.ranks.ranks import everyone, shared_batch
from reeltune.settings.faults import checked
from reeltune.training.settings import Settings


def melting_step(
    model: Any, melting: Melting, loader: Loader, held_out: Loader | None, settings: Settings
) -> Meltr:
    """The step that melts the losses of `model`, judged on `held_out` or on late training
    batches."""
    first = first_losses(model, loader)
    combiner = combiner_of(melting, tuple(first))
    combiner.to(device_of(model))
    if melting.warm_start and isinstance(combiner, transformer.MeltrTransformer):
        warm_start(combiner, torch.stack(list(first.values())).float(), melting.warm_start)
    judges = held_out if melting.outer == "held-out" else None
    outer: Outer = HeldOut(judges.epoch) if judges else Recent()
    precision = {"precision": settings.precision}
    own = melting.step.model_copy(update=precision)
    return Meltr(model, combiner, melting.built_scheme(), outer, own)


def combiner_of(melting: Melting, tasks: tuple[str, ...]) -> nn.Module:
    """The combiner of the losses `tasks`: MELTR, a linear one, or a sum that learns nothing.

    Errors: `ConfigError` for weights set by hand under a scheme that learns them.
    """
    if not melting.built_scheme().batches:
        return Total(tasks, melting.weights)
    if melting.weights:
        raise ConfigError(
            f"meltr.weights set the losses by hand, but the scheme {melting.scheme} learns them; "
            "leave weights out, or set meltr.scheme=multi-task"
        )
    if melting.kind == "linear":
        return linear.Config(tasks=tasks).build()
    sizes = checked(transformer.Config, "meltr.sizes", {**melting.sizes, "tasks": tasks})
    made: nn.Module = sizes.build()
    return made


def require_combiner(melting: Melting, model: Any) -> None:
    """Raise ConfigError for what is wrong with the combiner, as far as is known before a batch is;
    names of losses are looked at where the model states them."""
    names = names_of(model)
    known = melting if names else melting.model_copy(update={"weights": {}})
    with torch.device("meta"):
        combiner_of(known, names or (primary_of(model),))


def first_losses(model: Any, loader: Loader) -> dict[str, Tensor]:
    """Losses by name in the model's own order, as they are in the first batch of all processes."""
    batches = loader.epoch(0)
    ranks = everyone()
    with Draw(device_of(model)).again(), torch.no_grad(), shared_batch():
        found = named_losses(model, next(batches))
    return {name: ranks.mean(loss) for name, loss in found.items()}
