"""Sample clips in which something is written: slides, and lines over other pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import matplotlib
import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from reeltune.cli.encoded_clip import SIZE, encode_pictures

Font = Literal["sans", "serif", "mono"]
FILES: dict[Font, str] = {  # those that matplotlib brings
    "sans": "DejaVuSans.ttf",
    "serif": "DejaVuSerif.ttf",
    "mono": "DejaVuSansMono.ttf",
}
RATE = 5  # frames a second


@dataclass(frozen=True, kw_only=True)
class Slide:
    """Lines of text, for how many seconds, and how high their letters are, in pixels.

    Lines are black on white, or white with a black rim at the bottom of the `behind` pictures.
    """

    lines: tuple[str, ...]
    seconds: float
    height: int = 28
    font: Font = "sans"
    behind: Sequence[UInt8[np.ndarray, "H W 3"]] = ()  # shown in turn


def write_slides(path: Path, slides: Sequence[Slide], size: tuple[int, int] = SIZE) -> Path:
    """An mp4 of slides one after another, of a width and a height in pixels."""
    encode_pictures(_pictures(slides, size), path, size=size, rate=RATE)
    return path


def drawn(slide: Slide, size: tuple[int, int], number: int = 0) -> Image.Image:
    """One picture of a slide, before the picture of that number if there are any behind it."""
    step = round(1.5 * slide.height)
    left, top, colour, rim = size[0] // 12, size[1] // 10, "black", 0
    picture = Image.new("RGB", size, "white")
    if slide.behind:
        picture = Image.fromarray(slide.behind[number % len(slide.behind)]).resize(size)
        top, colour = size[1] - step * len(slide.lines) - size[1] // 20, "white"
        rim = max(1, slide.height // 14)
    pen = ImageDraw.Draw(picture)
    for line, text in enumerate(slide.lines):
        place = left, top + line * step
        pen.text(place, text, colour, _font(slide), stroke_width=rim, stroke_fill="black")
    return picture


def _pictures(slides: Sequence[Slide], size: tuple[int, int]) -> Iterator[Image.Image]:
    for slide in slides:
        for number in range(round(slide.seconds * RATE)):
            yield drawn(slide, size, number)


def _font(slide: Slide) -> ImageFont.FreeTypeFont:
    return _loaded(slide.font, slide.height)


@cache
def _loaded(font: Font, height: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", FILES[font]), height)
