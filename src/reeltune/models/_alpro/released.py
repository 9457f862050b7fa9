"""Checkpoints of ALPRO's release: one of pretraining, with its prompter inside, or one that was
tuned for retrieval or questions."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from reeltune.errors import CheckpointError
from reeltune.models._released_keys import Release

RELEASE = Release("ALPRO", "alpro_pretrained_ckpt.pt", "alpro")
PROMPTER = "prompter."  # before names of the model inside
TEXT, BERT = "text_encoder.", ("text_encoder.bert.", "text_encoder.cls.")
BIAS, AGAIN = (f"text_encoder.cls.predictions.{name}" for name in ("bias", "decoder.bias"))
PLACES, TIMES = "visual_encoder.model.pos_embed", "visual_encoder.model.time_embed"


@dataclass(frozen=True)
class Given:
    """Weights under the names of our network, and what was done to them."""

    weights: dict[str, Tensor]
    renamed: tuple[str, ...] = ()
    interpolated: tuple[str, ...] = ()


def parts_of(given: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The weights of the model, and those of the prompter inside it, by their own names."""
    own = {name: value for name, value in given.items() if not name.startswith(PROMPTER)}
    inside = {n.removeprefix(PROMPTER): v for n, v in given.items() if n.startswith(PROMPTER)}
    return own, inside


def fitted(given: Mapping[str, Tensor], across: int, frames: int, path: Path) -> Given:
    """Weights by the names of our network, with tables for `across` x `across` patches and for
    `frames` frames.

    The model for questions calls BERT `text_encoder`, ours calls it `text_encoder.bert`. Tables are
    interpolated to the nearest row, that of places in both directions of the picture (the release
    takes places as one line).
    Errors: `CheckpointError` for two values of the one bias of the head over words.
    """
    named = {_name(name): value for name, value in given.items()}
    if AGAIN in given:
        named[BIAS] = given.get(BIAS, given[AGAIN])
        if not torch.equal(named[BIAS], given[AGAIN]):
            raise CheckpointError(
                f"{path} has two values for one tied weight, in {BIAS} and in {AGAIN}; take the "
                "file from where it was trained"
            )
    renamed = tuple(f"{name} -> {_name(name)}" for name in given if _name(name) != name)
    changed = []
    for name, resize in ((PLACES, _places), (TIMES, _times)):
        count = across**2 + 1 if name == PLACES else frames
        table = named.get(name)
        if table is not None and table.ndim == 3 and table.shape[1] != count:
            named[name] = resize(table, across if name == PLACES else frames)
            changed.append(name)
    return Given(named, renamed, tuple(changed))


def _name(name: str) -> str:
    if name == AGAIN:
        return BIAS
    if name.startswith(TEXT) and not name.startswith(BERT):
        return f"{BERT[0]}{name.removeprefix(TEXT)}"
    return name


def _places(table: Tensor, across: int) -> Tensor:
    """The table of the summary token and of places (1, 1 + P, D) for another count of patches."""
    first, places = table[:, :1], table[:, 1:].transpose(1, 2)
    side = round(places.shape[2] ** 0.5)
    if side**2 != places.shape[2]:
        return table  # places of no square, whose shape is refused
    wide = F.interpolate(places.unflatten(2, (side, side)), (across, across), mode="nearest")
    return torch.cat([first, wide.flatten(2).transpose(1, 2)], dim=1)


def _times(table: Tensor, frames: int) -> Tensor:
    return F.interpolate(table.transpose(1, 2), frames, mode="nearest").transpose(1, 2)
