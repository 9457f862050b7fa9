"""Pictures that a program has in memory, as the squares that a model reads."""

from dataclasses import asdict

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image

from reeltune.errors import DataError
from reeltune.media._pixels import square
from reeltune.records import Pixels


def squares(frames: Shaped[np.ndarray, "..."], pixels: Pixels) -> UInt8[np.ndarray, "T 3 S S"]:
    """T frames of a clip, uint8 (T, H, W, 3) with the colours red, green, blue, fitted as those of
    a file are.

    Raises DataError for an array of another kind or shape, and for one without a frame.
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or not frames.size:
        raise DataError(
            f"frames are {frames.dtype} {frames.shape}; give uint8 (T, H, W, 3): one frame or more "
            "of red, green and blue, 0 to 255"
        )
    return np.stack([fitted(Image.fromarray(frame), pixels) for frame in frames])


def fitted(picture: Image.Image, pixels: Pixels) -> UInt8[np.ndarray, "3 S S"]:
    """A picture in RGB as such a square, channels first."""
    seen = np.asarray(square(picture, **asdict(pixels)))
    return np.ascontiguousarray(seen.transpose(2, 0, 1))
