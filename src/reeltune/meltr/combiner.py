"""Modules that melt losses, and their file, which holds weights with the names of the losses."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Protocol, runtime_checkable

import torch
from pydantic import Field, TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from reeltune.errors import CheckpointError, ConfigError, DataError, in_short
from reeltune.meltr import linear, transformer
from reeltune.nn.shapes import Float
from reeltune.storage.tensors import write_tensors

Config = Annotated[transformer.Config | linear.Config, Field(discriminator="kind")]
FILE = "meltr.safetensors"  # in the folder of a run
Learned = transformer.MeltrTransformer | linear.LinearCombiner
_CONFIG: TypeAdapter[transformer.Config | linear.Config] = TypeAdapter(Config)


@runtime_checkable
class Combiner(Protocol):
    """A module that melts losses in the order of `tasks`; its parameters are what is learned."""

    tasks: tuple[str, ...]

    def __call__(self, losses: Float[Tensor, " T"]) -> Float[Tensor, ""]: ...


class Total(nn.Module):
    """The sum, with weights set by hand or all 1: multi-task learning, where nothing is learned."""

    def __init__(self, tasks: tuple[str, ...], weights: Mapping[str, float] | None = None) -> None:
        super().__init__()
        given = dict(weights or {})
        if unknown := given.keys() - set(tasks):
            raise ConfigError(
                f"meltr.weights names {sorted(unknown)}, but the losses of the model are "
                f"{list(tasks)}; name only these"
            )
        self.tasks, self.weights = tasks, torch.tensor([given.get(task, 1.0) for task in tasks])

    def forward(self, losses: Float[Tensor, " T"]) -> Float[Tensor, ""]:
        """The weighted sum."""
        return losses @ self.weights.to(losses)


def slopes(combiner: nn.Module, losses: Float[Tensor, " T"]) -> Float[Tensor, " T"]:
    """How strongly each loss is trained: the derivative of the melted loss by it, without a
    graph."""
    return valued(combiner, losses)[1]


def valued(
    function: Callable[[Tensor], Tensor], losses: Float[Tensor, " T"]
) -> tuple[Float[Tensor, ""], Float[Tensor, " T"]]:
    """The value and the slopes of a function of the losses, in one evaluation and without a
    graph."""
    leaf = losses.detach().requires_grad_()
    value = function(leaf)
    (found,) = torch.autograd.grad(value, leaf, allow_unused=True, materialize_grads=True)
    return value.detach(), found


def ordered(named: dict[str, Tensor], tasks: tuple[str, ...]) -> list[Tensor]:
    """The losses in the order of `tasks`; the order is part of what the weights mean."""
    if named.keys() != set(tasks):
        raise DataError(
            f"the model gave the losses {sorted(named)}, but the combiner melts {sorted(tasks)}; "
            "let losses() return the same names for every batch, those of the combiner's tasks"
        )
    return [named[task] for task in tasks]


def save(combiner: Learned, path: Path) -> None:
    """Write weights, sizes and names of the losses into one safetensors file."""
    write_tensors(path, combiner.state_dict(), {"meltr": combiner.config.model_dump_json()})


def load(path: Path, tasks: tuple[str, ...] | None = None) -> Learned:
    """A combiner from its file; `tasks` are the losses it is to combine, in that order.

    Errors: `CheckpointError` if the file cannot be read, or combines other losses.
    """
    try:
        with safe_open(path, "pt") as file:
            config = _CONFIG.validate_json((file.metadata() or {})["meltr"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, ValidationError) as error:
        raise CheckpointError(
            f"{path} cannot be read as weights of meltr ({in_short(error)}); give a file "
            "that a run wrote"
        ) from error
    if tasks is not None and tasks != config.tasks:
        raise CheckpointError(
            f"{path} combines the losses {list(config.tasks)}, but wanted are {list(tasks)}; "
            "name the same losses in the same order, or train meltr anew"
        )
    combiner = config.build()
    try:
        combiner.load_state_dict(tensors)
    except RuntimeError as error:
        raise CheckpointError(
            f"{path} does not fit its own sizes ({str(error).splitlines()[-1].strip()}); "
            "train meltr anew"
        ) from error
    return combiner
