"""Training that goes on from the weights of an earlier run, on the same data or on other."""

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from reeltune.errors import CheckpointError, ConfigError
from reeltune.models.opening.weights import CARD, WEIGHTS, read_card, read_tensors
from reeltune.nn.packed import packed_name
from reeltune.storage.content import content_hash

STORED = ("adapter.safetensors", WEIGHTS)
NAMED = 3  # weights that a sentence names before it counts the rest


@runtime_checkable
class MeansByName(Protocol):
    """A model some of whose weights mean what a file beside them names, such as concepts."""

    def of_another_meaning(self, run: Path) -> tuple[str, set[str]]:
        """Its weights that mean something else in the folder of a run, and why."""
        ...


def weights_of(run: Path) -> Path:
    """The file of weights in the folder of a run; raises ConfigError if there is none."""
    if (run / CARD).is_file():
        for path in (run / name for name in STORED):
            if path.is_file() or packed_name(path).is_file():
                return path
    raise ConfigError(
        f"--init {run} is no folder that training wrote, with {CARD} and {' or '.join(STORED)}; "
        "give one that has them"
    )


def pin_of(run: Path) -> str:
    """A short name for the content of the file of weights."""
    path = weights_of(run)
    return content_hash(str(path if path.is_file() else packed_name(path)))


def take_weights(model: Any, component: str, run: Path) -> list[str]:
    """Copy what fits of the weights of a run into those that `model` trains, and say what did.

    Errors: `CheckpointError` for a run of another component, or one of which nothing fits.
    """
    card = read_card(run)
    there = card.component
    if there != component:
        raise CheckpointError(
            f"--init {run} is a {there}, and the recipe trains a {component}; give a run of the "
            "same component" + _as_base(there, component, run)
        )
    given, own = read_tensors(weights_of(run)), _learned(model)
    why, other = model.of_another_meaning(run) if isinstance(model, MeansByName) else ("", set())
    fits = [n for n, w in own.items() if _shape(given, n) == w.shape and n not in other]
    trained = {name for name, weight in own.items() if weight.requires_grad}
    if not trained & set(fits):
        raise CheckpointError(
            f"--init {run}: none of its {len(given)} weights has the name and the shape of one of "
            f"the {len(trained)} that the recipe trains; give a run of the same sizes"
        )
    with torch.no_grad():
        for name in fits:
            own[name].copy_(given[name])
    return [
        f"training starts from {run}: {len(trained & set(fits))} of {len(trained)} weights are its",
        *_others("not in it, and start anew", trained - given.keys()),
        *_others("in it, and without a place here", given.keys() - own.keys()),
        *_others("of another shape, and start anew", (own.keys() & given.keys()) - {*fits, *other}),
        *_others(f"{why}, without a place here, and start anew", other & given.keys()),
        *_on_another_base(model, card.config, run),
    ]


def _learned(model: Any) -> dict[str, Tensor]:
    """Trainable weights and buffers, by the names under which they are stored."""
    network = getattr(model, "network", model)  # UniVL stores its network without the model
    kept = network.state_dict(keep_vars=True)
    buffers = {name for name, _ in network.named_buffers()}
    return {name: one for name, one in kept.items() if one.requires_grad or name in buffers}


def _shape(given: dict[str, Tensor], name: str) -> torch.Size | None:
    return given[name].shape if name in given else None


def _others(what: str, names: set[str]) -> list[str]:
    if not names:
        return []
    first = ", ".join(sorted(names)[:NAMED])
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return [f"{what}: {first}{more}"]


def _on_another_base(model: Any, config: dict[str, object], run: Path) -> list[str]:
    """A sentence if the run stood on another CLIP than the model does."""
    here = getattr(model.config, "base", None)
    if config.get("base") == here:
        return []
    return [f"{run} stood on {config.get('base')}, and this model stands on {here}"]


def _as_base(there: str, component: str, run: Path) -> str:
    if there in ("clip", "tuned") and component in ("vop", "tuned"):
        return f", or stand on it by --set config.base={run}"
    return ""
