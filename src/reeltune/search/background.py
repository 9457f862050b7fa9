"""Captions and pictures that have nothing to do with a library, nor with each other."""

import hashlib
from functools import cache
from importlib.resources import files
from io import BytesIO

from PIL import Image

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


@cache
def digest() -> str:
    """A hash of the captions and the pictures."""
    content = b"".join(_content(name) for name in ("background.txt", "background.jpg"))
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def _content(name: str) -> bytes:
    return files("reeltune.search").joinpath(name).read_bytes()
