"""Reads the losses that a model names, and refuses those that cannot be trained."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from reeltune.errors import ConfigError

IN_THE_LOG = frozenset({"loss", "lr", "gradient", "clips/s"})  # names of what is not a loss


def named_losses(model: Any, batch: Any, lowered: bool = False) -> dict[str, Tensor]:
    """The losses of a batch by name, in the model's own order and in float32 or finer.

    With `lowered` the model runs in bfloat16; what becomes of the losses never does.
    Errors: `ConfigError` for what is no dict of scalar tensors by name.
    """
    with torch.autocast(device_of(model).type, torch.bfloat16, enabled=lowered):
        found = own_losses(model, batch)
    return scalars(found, type(model).__name__)


def own_losses(model: Any, batch: Any) -> Any:
    """What the method `losses` of a model returns; raises ConfigError if it has none."""
    if not callable(getattr(model, "losses", None)):
        raise ConfigError(
            f"{type(model).__name__} has no method losses; give it losses(batch), which returns a "
            'dict such as {"contrastive": loss}'
        )
    return model.losses(batch)


def primary_alone(model: Any, batch: Any) -> Any:
    """The loss that a model is judged by, under its name, without the work of the others: what its
    method `primary_loss` returns."""
    return {primary_of(model): model.primary_loss(batch)}


def scalars(found: Any, whose: str) -> dict[str, Tensor]:
    """Losses by name, in float32 or finer; `whose` they are is for the message.

    Errors: `ConfigError` for what is no dict of scalar tensors by name.
    """
    if not isinstance(found, Mapping) or not found:
        raise ConfigError(
            f"losses of {whose} returned {_told(found)}; return a dict of one or "
            'more scalar tensors by name, such as {"contrastive": loss}'
        )
    return {name: _scalar(whose, name, loss) for name, loss in found.items()}


def names_of(model: Any) -> tuple[str, ...] | None:
    """Names of the losses as the model states them by `tasks`; None where only a batch can tell."""
    return getattr(model, "tasks", None)


def primary_of(model: Any) -> str:
    """Name of the loss by which a model is judged; raises ConfigError if it has none."""
    primary = getattr(model, "primary", None)
    if not isinstance(primary, str):
        raise ConfigError(
            f"{type(model).__name__}.primary is {primary!r}; set it to the name of the loss that "
            'the task is judged by, such as primary = "contrastive"'
        )
    return primary


def device_of(model: nn.Module) -> torch.device:
    """The device that holds the weights of a model."""
    return next(model.parameters()).device


def _scalar(whose: str, name: Any, loss: Any) -> Tensor:
    if not isinstance(name, str) or name in IN_THE_LOG:
        raise ConfigError(
            f"{whose} calls a loss {name!r}; call it by a text other than "
            f"{', '.join(sorted(IN_THE_LOG))}, which the log has for something else"
        )
    if not isinstance(loss, Tensor) or loss.shape != () or not loss.is_floating_point():
        raise ConfigError(
            f"the loss {name} of {whose} is {_told(loss)}; return a tensor of "
            "floats and of no dimension, such as the mean over the batch"
        )
    return loss.to(torch.promote_types(loss.dtype, torch.float32))


def _told(found: Any) -> str:
    if isinstance(found, Tensor):
        return f"a {found.dtype} tensor of shape {tuple(found.shape)}"
    return "an empty dict" if found == {} else f"a {type(found).__name__}"
