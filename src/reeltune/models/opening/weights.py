"""Weights in safetensors files, read whole: every key that does not fit is named."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from reeltune.errors import CheckpointError, ConfigError, first_fault, in_short
from reeltune.nn.packed import packed_name, read_packed
from reeltune.registry import find
from reeltune.storage.settings_file import read_named

WEIGHTS = "model.safetensors"
SHARDS = "model.safetensors.index.json"
CARD = "config.yaml"  # of our own checkpoints: which component, and its settings
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
NAMED = 5  # keys a message spells out before it counts the rest
Settings = TypeVar("Settings", bound=BaseModel)


def fingerprint(tensors: Mapping[str, Tensor], facts: Mapping[str, object]) -> str:
    """32 hexadecimal digits that change when a weight or a fact of the preprocessing changes.

    Floats are hashed as float32, so a model stored in half precision keeps its fingerprint
    when it is saved again in full.
    """
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach()
        tensor = tensor.float() if tensor.is_floating_point() else tensor
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(tensor.cpu().contiguous().reshape(-1).numpy().data)
    return digest.hexdigest()[:32]


def require_weights(folder: Path) -> None:
    """Refuse a folder without safetensors; a pickle runs code when it is opened, so none is."""
    known = (folder / WEIGHTS, folder / SHARDS, packed_name(folder / WEIGHTS))
    if any(path.is_file() for path in known):
        return
    pickled = sorted(path.name for pattern in PICKLED for path in folder.glob(pattern))
    if pickled:
        raise CheckpointError(
            f"{folder} holds its weights only as {pickled[0]}, a pickle, and Reeltune reads "
            f'{WEIGHTS}; convert it once with: python -c "from transformers import AutoModel; '
            f"AutoModel.from_pretrained('{folder}').save_pretrained('{folder}')\""
        )
    raise CheckpointError(f"{folder} holds no {WEIGHTS}; give a folder with a whole model")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Every tensor of one safetensors file, on the CPU; of its packed form if only that is there.

    `reeltune prune` writes the packed form, `model.packed.safetensors`.
    """
    packed = packed_name(path)
    if packed.is_file() and not path.exists():
        return read_packed(packed)
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path} cannot be read as safetensors ({in_short(error)}); copy or download it again"
        ) from error


def load_weights(module: nn.Module, path: Path) -> None:
    """Fill `module` from a safetensors file; a key that is missing, left over or misshapen
    is an error that names it."""
    given, wanted = read_tensors(path), module.state_dict()
    shared = given.keys() & wanted.keys()
    misshapen = [
        f"{key} {tuple(given[key].shape)} for {tuple(wanted[key].shape)}"
        for key in shared
        if given[key].shape != wanted[key].shape
    ]
    require_all_keys(
        path,
        missing=wanted.keys() - given.keys(),
        unexpected=given.keys() - wanted.keys(),
        misshapen=misshapen,
    )
    module.load_state_dict(given)


def require_all_keys(
    path: Path,
    *,
    missing: Iterable[str],
    unexpected: Iterable[str],
    misshapen: Iterable[str] = (),
) -> None:
    """Raise unless weights and model fit key for key."""
    found = {"missing": missing, "unexpected": unexpected, "of another shape": misshapen}
    faults = [
        f"{len(keys)} {kind} ({_some(keys)})"
        for kind, some in found.items()
        if (keys := sorted(some))
    ]
    if faults:
        raise CheckpointError(
            f"{path} does not fit its model: {'; '.join(faults)}; "
            "take weights and configuration from the same place"
        )


def _some(keys: list[str]) -> str:
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return ", ".join(keys[:NAMED]) + more


def write_card(folder: Path, model: str, config: Mapping[str, object], **more: str) -> None:
    """Say in `config.yaml` which component the folder holds, and its settings."""
    folder.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump({"model": model, **more, "config": dict(config)}, sort_keys=False)
    (folder / CARD).write_text(text, encoding="utf-8")


def ask_for_int8(folder: Path) -> None:
    """Say in `config.yaml` that layers are to compute in int8 where that is possible."""
    card = read_card(folder)
    write_card(folder, card.component, card.config, layers="int8")


@dataclass(frozen=True)
class Card:
    """What `write_card` wrote of the model in a folder."""

    path: Path  # of the card, for messages
    component: str
    config: dict[str, object]  # its settings
    is_int8: bool = False  # whether `ask_for_int8` asked for it

    def module(self) -> ModuleType:
        """The component's module; CheckpointError for one that there is not, or that no file may
        name."""
        try:
            return find("models", self.component)
        except ConfigError as error:
            raise CheckpointError(f"{self.path}: {error}") from error


def read_card(folder: Path) -> Card:
    """The card in a folder; CheckpointError if it says no component."""
    path = folder / CARD
    try:
        card = read_named(path)
        model, config = card.get("model"), card.get("config") or {}
        if not isinstance(model, str):
            raise ValueError("it has no name under `model`")
        if not isinstance(config, dict):
            raise ValueError("what stands under `config` is no settings by name")
        return Card(path, model, config, card.get("layers") == "int8")
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} does not say which model the folder holds ({in_short(error)}); "
            "it needs a line such as 'model: lite'"
        ) from error


def card_settings(folder: Path, kind: type[Settings]) -> Settings:
    """The settings that a checkpoint says its model has; CheckpointError names a wrong one."""
    card = read_card(folder)
    try:
        return kind.model_validate(card.config)
    except ValidationError as error:
        place, fault = first_fault(error)
        raise CheckpointError(
            f"{folder / CARD} has {place} wrong for {card.component} ({fault}); "
            "take the file from the same place as the weights"
        ) from error


def versions(module: nn.Module) -> int:
    """A number that grows whenever a parameter is changed in place, as an optimiser does."""
    return sum(parameter._version for parameter in module.parameters())
