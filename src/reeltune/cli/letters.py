"""Text in pictures: fonts that have its letters, lines that fit, and words that are marked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby
from pathlib import Path

import matplotlib
from matplotlib.font_manager import fontManager
from matplotlib.ft2font import FT2Font
from PIL import ImageDraw, ImageFont

INK, QUIET, MARKER = "#16181d", "#6b7280", "#ffe58a"
MARGIN = 3  # pixels of a mark around its word
NO_LETTERS = "Last Resort"  # a font with the same box for every letter
FEW = 3  # words before the first mark that are kept
Run = tuple[str, bool]  # a text, and whether it is marked


@dataclass(frozen=True)
class Hand:
    """How a text is written."""

    size: int  # pixels
    bold: bool = False
    ink: str = INK
    marker: str = MARKER

    def font(self, text: str) -> ImageFont.FreeTypeFont:
        """A font that has the letters of a text, if there is one on this machine."""
        return ImageFont.truetype(str(_font_for(frozenset(text), self.bold)), self.size)

    def width(self, text: str) -> float:
        """How wide a text is, in pixels."""
        return self.font(text).getlength(text)


@cache
def _font_for(letters: frozenset[str], bold: bool) -> Path:
    own = Path(matplotlib.get_data_path(), "fonts", "ttf", f"DejaVuSans{'-Bold' * bold}.ttf")
    if _has(own, letters):
        return own
    weight = "bold" if bold else "regular"
    drawn = [font for font in fontManager.ttflist if not font.name.startswith(NO_LETTERS)]
    others = sorted({font.fname for font in drawn if str(font.weight) == weight})
    others += sorted({font.fname for font in drawn})
    return next((Path(name) for name in others if _has(Path(name), letters)), own)


@cache
def _letters_of(font: Path) -> frozenset[int]:
    return frozenset(FT2Font(str(font)).get_charmap())


def _has(font: Path, letters: frozenset[str]) -> bool:
    try:
        return {ord(letter) for letter in letters if not letter.isspace()} <= _letters_of(font)
    except (OSError, RuntimeError):  # a font that cannot be read is no reason to fail
        return False


def write(draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, hand: Hand) -> None:
    """Write one line; `place` is the left end of its base line."""
    draw.text(place, text, fill=hand.ink, font=hand.font(text), anchor="ls")


def elided(text: str, hand: Hand, width: float) -> str:
    """A text that is no wider than `width` pixels: of a longer one the middle is left out."""
    if hand.width(text) <= width:
        return text
    kept = len(text)
    while kept > 1:
        kept -= 1
        short = f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"
        if hand.width(short) <= width:
            return short
    return "…"


def lines_of(runs: Sequence[Run], hand: Hand, width: float, most: int) -> list[list[Run]]:
    """Runs in lines of at most `width` pixels, broken between words; where there are more than
    `most` lines, those are taken that begin shortly before the first mark, and an ellipsis ends
    the last."""
    words = [*_words(runs)]
    lines = _filled(words, hand, width)
    first = next((place for place, word in enumerate(words) if any(on for _, on in word)), 0)
    if len(lines) > most and first > FEW:
        lines = _filled([[("…", False)], *words[first - FEW :]], hand, width)
    if len(lines) > most:
        lines = [*lines[: most - 1], [*lines[most - 1], (" …", False)]]
    return lines


def write_runs(
    draw: ImageDraw.ImageDraw, place: tuple[float, float], runs: Sequence[Run], hand: Hand
) -> None:
    """Write one line, with what is marked on a ground of its own."""
    at, base = place
    for is_marked, together in groupby(runs, key=lambda run: run[1]):
        text = "".join(text for text, _ in together)
        width = hand.width(text)
        if is_marked:
            box = (at - MARGIN, base - hand.size, at + width + MARGIN, base + hand.size * 0.3)
            draw.rounded_rectangle(box, radius=4, fill=hand.marker)
        write(draw, (at, base), text, replace(hand, ink=INK) if is_marked else hand)
        at += width


def _words(runs: Sequence[Run]) -> Iterator[list[Run]]:
    """Words, each with its runs: a mark may end within one."""
    word: list[Run] = []
    for text, is_marked in runs:
        pieces = text.split(" ")
        for number, piece in enumerate(pieces):
            if number > 0:
                yield word
                word = []
            if piece:
                word.append((piece, is_marked))
    yield word


def _filled(words: Sequence[list[Run]], hand: Hand, width: float) -> list[list[Run]]:
    lines: list[list[Run]] = []
    left = 0.0
    for word in filter(None, words):
        long = hand.width("".join(text for text, _ in word))
        space = hand.width(" ")
        if lines and long + space <= left:
            lines[-1] += [(" ", lines[-1][-1][1] and word[0][1]), *word]
            left -= long + space
        else:
            lines.append([*word])
            left = width - long
    return lines
