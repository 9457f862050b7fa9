"""Captions and pictures that have nothing to do with a library, nor with each other."""

import hashlib
from functools import cache
from importlib.resources import files
from io import BytesIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from reeltune.media.squares import squares
from reeltune.records import Pixels

SIDE = 240  # pixels of each of the pictures that `background.jpg` joins


def captions() -> list[str]:
    """Everyday captions, a line each."""
    return [line for line in _content("background.txt").decode().splitlines() if line]


def pictures() -> list[Image.Image]:
    """Squares of `SIDE` pixels; `background.md` says where they are from."""
    sheet = Image.open(BytesIO(_content("background.jpg"))).convert("RGB")
    return [
        sheet.crop((x, y, x + SIDE, y + SIDE))
        for y in range(0, sheet.height, SIDE)
        for x in range(0, sheet.width, SIDE)
    ]


def shown(pixels: Pixels) -> UInt8[np.ndarray, "N 3 S S"]:
    """The pictures as a model wants its frames."""
    return squares(np.stack([np.asarray(one) for one in pictures()]), pixels)


@cache
def digest() -> str:
    """A hash of the captions and the pictures."""
    content = b"".join(_content(name) for name in ("background.txt", "background.jpg"))
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def _content(name: str) -> bytes:
    return files("reeltune.search").joinpath(name).read_bytes()
