"""Difference hash of a picture: 64 bits that survive re-encoding and rescaling."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image


def dhash(pixels: UInt8[np.ndarray, "3 S S"]) -> int:
    """Signs of the brightness steps on a grid of 9 x 8, packed into a signed 64-bit integer."""
    picture = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    grid = np.asarray(picture.convert("L").resize((9, 8), Image.Resampling.BOX), dtype=np.int16)
    bits = (grid[:, 1:] > grid[:, :-1]).ravel()  # (64,)
    return int(np.packbits(bits).view(">i8")[0])
