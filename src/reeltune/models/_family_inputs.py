"""What each family of two towers is given: how its texts are cut, and how its frames are laid."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from reeltune.models.text_towers.clip import CLEANING, Cleaning


@dataclass(frozen=True, kw_only=True)
class TextRule:
    """How a family was trained to read text."""

    padding: Literal["longest", "max_length"]
    cleaning: Cleaning  # before the text is split into tokens
    masked: bool  # is padding hidden from attention

    @property
    def clean(self) -> Callable[[str], str]:
        """What brings a text into the form in which it is split into tokens."""
        return CLEANING[self.cleaning]


# CLIP and MetaCLIP 2 read their vector at the end token and attend to the left only, so padding,
# which stands to the right of it, changes nothing and is kept short. A SigLIP reads its vector at
# the last position and attends to all of them, so its padding to full length is part of the input.
RULES: dict[str, TextRule] = {
    "clip": TextRule(padding="longest", cleaning="clip", masked=True),
    "metaclip_2": TextRule(padding="longest", cleaning="none", masked=True),
    "siglip": TextRule(padding="max_length", cleaning="lower", masked=False),
    "siglip2": TextRule(padding="max_length", cleaning="lower", masked=False),
}


def seen(family: str, colours: Float[Tensor, "B 3 S S"], patch: int) -> dict[str, Tensor]:
    """What the image tower of a family is given for frames whose colours are normalised."""
    if family != "siglip2":
        return {"pixel_values": colours}
    count, along, device = len(colours), colours.shape[-1] // patch, colours.device
    return {
        "pixel_values": patches(colours, patch),
        "pixel_attention_mask": torch.ones(count, along * along, dtype=torch.int32, device=device),
        "spatial_shapes": torch.full((count, 2), along, device=device),
    }


def patches(colours: Float[Tensor, "B 3 S S"], patch: int) -> Float[Tensor, "B P N"]:
    """Squares of `patch` pixels a side, row by row; each is its pixels row by row, and the three
    colours of a pixel stand together."""
    along = colours.shape[-1] // patch
    tiles = colours.unflatten(3, (along, patch)).unflatten(2, (along, patch))
    return tiles.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)
