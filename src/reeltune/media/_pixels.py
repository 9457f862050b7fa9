"""Makes pictures the square that a model reads; crops and squashes them exactly as transformers'
Pillow processors do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from jaxtyping import UInt8

RESAMPLE = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def in_colour(picture: Image.Image) -> Image.Image:
    """A picture of any mode in RGB as a person sees it, with white behind transparent parts."""
    if picture.mode.startswith("I"):  # grey of 16 bits, which Pillow would clip to 8
        levels = np.asarray(picture).clip(0, 65535).astype(np.uint32)
        grey = ((levels + 128) // 257).astype(np.uint8)
        grey[levels == picture.info.get("transparency", -1)] = 255
        return Image.fromarray(grey).convert("RGB")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    whole = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole).convert("RGB")


def fit(
    picture: Image.Image,
    size: int,
    fit: Literal["crop", "squash", "pad"],
    resample: Literal["bilinear", "bicubic"],
    shortest: int | None = None,
) -> UInt8[np.ndarray, "3 S S"]:
    """Resize with antialiasing to `size` x `size`, channels first.

    `squash` brings both sides to `size`. `crop` brings the shorter side to `shortest` (or
    `size`), the longer one to the whole number below its share, and cuts the middle. `pad` brings
    the longer side to `size`, the shorter one to the whole number nearest to its share, and puts
    it into the middle of black.
    """
    rule = RESAMPLE[resample]
    if fit == "squash":
        square = picture.resize((size, size), rule)
    elif fit == "pad":
        square = _on_black(picture.resize(_inside(picture, size), rule), size)
    else:
        square = _middle(picture.resize(_scaled(picture, shortest or size), rule), size)
    return np.ascontiguousarray(np.asarray(square).transpose(2, 0, 1))


def _scaled(picture: Image.Image, shortest: int) -> tuple[int, int]:
    width, height = picture.size
    if width <= height:
        return shortest, int(shortest * height / width)
    return int(shortest * width / height), shortest


def _middle(picture: Image.Image, size: int) -> Image.Image:
    left, top = (picture.width - size) // 2, (picture.height - size) // 2
    return picture.crop((left, top, left + size, top + size))


def _inside(picture: Image.Image, size: int) -> tuple[int, int]:
    longest = max(picture.size)
    width, height = (max(1, round(size * side / longest)) for side in picture.size)
    return width, height


def _on_black(picture: Image.Image, size: int) -> Image.Image:
    square = Image.new(picture.mode, (size, size))
    square.paste(picture, ((size - picture.width) // 2, (size - picture.height) // 2))
    return square
