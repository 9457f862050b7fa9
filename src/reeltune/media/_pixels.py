"""Makes pictures the square that a model reads; crops and squashes them exactly as transformers'
Pillow processors do."""

from __future__ import annotations

from typing import Literal

from PIL import Image

LEVELS = 1 << 16
RESAMPLE = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def in_colour(picture: Image.Image) -> Image.Image:
    """A picture of any mode in RGB as a person sees it, with white behind transparent parts."""
    if picture.mode.startswith("I"):  # grey of 16 bits, which Pillow would clip to 8
        clear = picture.info.get("transparency", -1)
        grey = [255 if level == clear else (level + 128) // 257 for level in range(LEVELS)]
        return picture.convert("I").point(grey, "L").convert("RGB")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    whole = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole).convert("RGB")


def square(
    picture: Image.Image,
    size: int,
    fit: Literal["crop", "squash", "pad"],
    resample: Literal["bilinear", "bicubic"],
    shortest: int | None = None,
) -> Image.Image:
    """Resize with antialiasing to `size` x `size`.

    `squash` brings both sides to `size`. `crop` brings the shorter side to `shortest` (or
    `size`), the longer one to the whole number below its share, and cuts the middle. `pad` brings
    the longer side to `size`, the shorter one to the whole number nearest to its share, and puts
    it into the middle of black.
    """
    rule = RESAMPLE[resample]
    if fit == "squash":
        return picture.resize((size, size), rule)
    if fit == "pad":
        return _on_black(picture.resize(_inside(picture, size), rule), size)
    return _middle(picture.resize(_scaled(picture, shortest or size), rule), size)


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
