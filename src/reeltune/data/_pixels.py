"""Pictures to the square that a model reads: what transformers' Pillow processors do, exactly."""

from typing import Literal

import numpy as np
from jaxtyping import UInt8
from PIL import Image

RESAMPLE = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def fit(
    picture: Image.Image,
    size: int,
    fit: Literal["crop", "squash"],
    resample: Literal["bilinear", "bicubic"],
    shortest: int | None = None,
) -> UInt8[np.ndarray, "3 S S"]:
    """Resize with antialiasing, cut to `size` x `size`, channels first.

    `squash` brings both sides to `size`. `crop` brings the shorter side to `shortest` (or
    `size`), the longer one to the whole number below its share, and cuts the middle.
    """
    rule = RESAMPLE[resample]
    if fit == "squash":
        square = picture.resize((size, size), rule)
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
