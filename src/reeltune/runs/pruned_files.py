"""Writes a pruned model as files, with its stored weights zeroed, rounded and packed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from reeltune.compress.pack import Values, pack
from reeltune.compress.prune import Census, Masks, apply_masks, global_l1, prunable
from reeltune.errors import ConfigError
from reeltune.models.opening.weights import ask_for_int8, read_tensors
from reeltune.nn.packed import packed_name


@dataclass(frozen=True, kw_only=True)
class Amounts:
    """The shares to be pruned."""

    weights: float = 0.36  # share of prunable weights that become zero: 0.36 as in DE++
    units: float = 0.0  # share of hidden units that are taken out first
    biases: bool = False
    embeddings: bool = False
    values: Values = "float32"  # of what is left
    merge: int = 0  # tokens of a frame that a CLIP merges in each layer of its image tower

    def __post_init__(self) -> None:
        for name in ("weights", "units"):
            if not 0 <= (share := getattr(self, name)) < 1:
                raise ConfigError(
                    f"the share of {name} to prune is {share:g}, and it is 0 or more and below 1; "
                    "give 0.36 for 36 %"
                )

    @property
    def keep_weights(self) -> bool:
        """Whether what is stored stays as it is."""
        return self.weights == 0 and self.values == "float32"


def write_pruned(
    model: nn.Module,
    amounts: Amounts,
    out: Path,
    settle: Callable[[nn.Module], None] = lambda model: None,
) -> Census:
    """Prune a model in place, `settle` it, and save it with its weights packed."""
    save: Any = model
    save.save_pretrained(out)
    names = _names_of(model, _tensors_in(out))
    beside = dict(model.named_parameters()).keys() - set(names.values())
    if amounts.values == "int8" and beside:
        raise ConfigError(
            f"{type(model).__name__} stands on weights that its checkpoint does not store "
            f"({min(beside)}), and they stay in floats; leave --int8 out"
        )
    weights = prunable(model, biases=amounts.biases, embeddings=amounts.embeddings)
    stored = {name: weight for name, weight in weights.items() if name in names.values()}
    if not stored:
        raise ConfigError(
            f"{type(model).__name__} stores no linear, convolutional or recurrent weights here, "
            "so there is nothing to prune; prune the model that it stands on"
        )
    masks = global_l1(stored, amounts.weights)
    apply_masks(stored, masks)
    settle(model)
    save.save_pretrained(out)
    for path in [] if amounts.keep_weights else _files(out):
        tensors = read_tensors(path)
        whole = tensors.keys() - _names_of(model, tensors).keys()  # statistics, not weights
        pack(packed_name(path), tensors, amounts.values, whole)
        path.unlink()
    if amounts.values == "int8":
        ask_for_int8(out)
    return _census(model, set(names.values()), masks)


def _census(model: nn.Module, stored: set[str], masks: Masks) -> Census:
    """Count what is stored. Weights of a model that was pruned before are zero without a mask."""
    named, zero = dict(model.named_parameters()), _zeros_in(model, stored)
    beside = {name: mask for name, mask in masks.items() if name not in zero}
    return Census(
        parameters=sum(named[name].numel() for name in stored),
        prunable=sum(mask.numel() for mask in masks.values()),
        zeros=sum(zero.values()) + sum(int((~mask).sum()) for mask in beside.values()),
    )


def _zeros_in(model: nn.Module, stored: set[str]) -> dict[str, int]:
    """How many are zero of the weights of each layer that is stored; biases, which may begin at
    zero, are none of these."""
    weights = {name: weight for name, weight in prunable(model).items() if name in stored}
    return {name: int((weight == 0).sum()) for name, weight in weights.items()}


def _names_of(model: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """The parameter to which each stored tensor belongs, by the tensor's name; the ends of names,
    shapes and values agree.

    A component may store a part of itself, as `lite` does its head, under the names of that part.
    Where several names end alike, as `cls.bias` and `decoder.cls.bias` do, the shortest is meant.
    """
    found = {}
    weights = sorted(model.named_parameters(), key=lambda one: len(one[0]))
    for stored, tensor in tensors.items():
        for name, weight in weights:
            alike = f".{name}".endswith(f".{stored}") and weight.shape == tensor.shape
            if alike and torch.equal(weight.detach().cpu().to(tensor.dtype), tensor):
                found[stored] = name
                break
    return found


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


def _tensors_in(folder: Path) -> dict[str, Tensor]:
    return {name: t for path in _files(folder) for name, t in read_tensors(path).items()}


def bytes_in(folder: Path) -> int:
    """Bytes of all weights in a folder."""
    return sum(path.stat().st_size for path in _files(folder))


def stored_size(model: nn.Module) -> tuple[int, int, int]:
    """Bytes of the model as it is saved dense, and how many parameters are stored; of these, how
    many are no zeros of layers that were pruned before."""
    save: Any = model
    with TemporaryDirectory() as name:
        folder = Path(name)
        save.save_pretrained(folder)
        found = _census(model, set(_names_of(model, _tensors_in(folder)).values()), {})
        return bytes_in(folder), found.parameters, found.nonzeros
