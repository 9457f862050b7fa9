"""MELTR in a run: the step that a recipe's `meltr` asks for."""

from typing import Any

import torch

from reeltune.config import Melting
from reeltune.data._loader import Loader
from reeltune.errors import ConfigError
from reeltune.meltr import linear, transformer
from reeltune.meltr.combiner import Total
from reeltune.meltr.outer import HeldOut, Outer, Recent
from reeltune.meltr.step import Meltr
from reeltune.registry import find
from reeltune.training.settings import Settings


def melting_step(
    model: Any, melting: Melting, loader: Loader, held_out: Loader, settings: Settings
) -> Meltr:
    """The losses of `model` melted; judged on `held_out`, or on late batches of training."""
    scheme = find("meltr.schemes", melting.scheme).Config(**melting.options).build()
    tasks = tasks_of(model, loader)
    if scheme.batches and melting.weights:
        raise ConfigError(
            f"meltr.weights set the losses by hand, but the scheme {melting.scheme} learns them; "
            "leave weights out, or set meltr.scheme=multi-task"
        )
    combiner: torch.nn.Module = Total(tasks, melting.weights)
    if scheme.batches and melting.kind == "linear":
        combiner = linear.Config(tasks=tasks).build()
    elif scheme.batches:
        combiner = transformer.Config(tasks=tasks, **melting.sizes).build()
    outer: Outer = HeldOut(held_out.epoch) if melting.outer == "held-out" else Recent()
    precision = {"precision": settings.precision}
    own = melting.step.model_copy(update=precision)
    return Meltr(model, combiner.to(next(model.parameters()).device), scheme, outer, own)


def tasks_of(model: Any, loader: Loader) -> tuple[str, ...]:
    """Names of the losses, in the model's own order, as its first batch gives them."""
    batches = loader.epoch(0)
    with torch.random.fork_rng(), torch.no_grad():
        return tuple(model.losses(next(batches)))
