"""Which lines a frame shows: looked for only where letters may be, and read only where they are
new."""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from reeltune.search.channels._lines import Box, Line, overlap
from reeltune.search.channels._ocr import MULTIPLE, Corners, Picture
from reeltune.search.channels._strokes import (
    Grey,
    Place,
    has_changed,
    in_grey,
    is_same_line,
    place_of_strokes,
)
from reeltune.search.channels.plain import plain

SIDE = 480  # pixels of the longer side in which lines are looked for
FINE = 736  # and again where the lines are low
LOW = 24  # pixels of a view, height of such lines
COARSE = 224  # and at first, for letters that are large or pale
FAIR = 384  # and where that finds some
TRIED, LIKELY = 8, 0.5  # lines that are read to see whether any is one, and its score
MOST = 0.5  # share of a frame, which is looked at whole where sharp strokes take more of it
SAME = 0.6  # of the smaller of two boxes, that stand in one place
WIDE = 4  # times as wide as high: a long line; and the most for a place, whose rims lose lines
EVERY = 2.0  # s until the next look of a kind that found nothing
SURE = 0.8  # score from which a line counts
SHORT, SURER = 4, 0.9  # letters of a line that must be surer, and how sure
MOST_LINES = 100  # of one frame
MOST_READ = 600.0  # widths of the lines of one frame, each by its height, all together


class Reads(Protocol):
    """Finds lines and reads them."""

    def find(self, picture: Picture, side: int) -> list[Corners]: ...

    def read(self, picture: Picture, lines: list[Corners]) -> list[tuple[str, float]]: ...


@dataclass(frozen=True)
class Seen:
    """One place of a frame that was read, whether or not its text counts."""

    box: Box
    text: str
    score: float


class Looking:
    """Goes through the frames of one file in their order."""

    def __init__(self, ocr: Reads) -> None:
        self.crowded: float | None = None  # s, the first frame that showed more than is read
        self._ocr = ocr
        self._grey: Grey = np.zeros((0, 0), np.uint8)  # of the frame that was looked at last
        self._seen: list[Seen] = []
        self._lines: list[Line] = []
        self._in_vain = {True: -np.inf, False: -np.inf}  # s, the last look, by whether at strokes

    def lines(self, time: float, pixels: Picture) -> list[Line]:
        """The lines of the frame shown at `time`, in s; the same list as before where nothing
        changed."""
        grey = in_grey(pixels)
        if not has_changed(self._grey, grey):
            return self._lines
        place = place_of_strokes(grey)
        sharp = place is not None
        if not self._lines and time - self._in_vain[sharp] < EVERY:
            return []
        is_there = self._lines or self._has_some(pixels, place)  # a text may still stand
        lines = self._keep(grey, self._read(time, pixels, grey) if is_there else [])
        self._in_vain[sharp] = -np.inf if lines else time
        return lines

    def _has_some(self, pixels: Picture, place: Place | None) -> bool:
        """Whether lines are there: at sharp strokes, or anywhere if they are large or pale.

        What looks like a line and does not read like one is a texture, most of the time; the lines
        themselves are looked for more closely after that.
        """
        if place is not None:
            height, width = pixels.shape[:2]
            share = SIDE / max(height, width)
            left, right = (round(width * side) for side in place[::2])
            top, bottom = (round(height * side) for side in place[1::2])
            if (right - left) * (bottom - top) > MOST * width * height:
                return True
            left, right = _widened(left, right, width, share)
            top, bottom = _widened(top, bottom, height, share, least=(right - left) // WIDE)
            side = round(share * max(right - left, bottom - top))
            if self._says_something(pixels[top:bottom, left:right], side):
                return True
        return bool(self._ocr.find(pixels, COARSE)) and self._says_something(pixels, FAIR)

    def _says_something(self, picture: Picture, side: int) -> bool:
        """Whether one of the longest lines that are found in a picture is small print, which is
        read only when it was looked for more closely, or reads like a line."""
        found = sorted(self._ocr.find(picture, side), key=_width, reverse=True)[:TRIED]
        if any(_height(one) < LOW and _width(one) > WIDE * _height(one) for one in found):
            return True
        read = (self._ocr.read(picture, [corners])[0] for corners in found)
        return any(_letters(text) > 1 and score >= LIKELY for text, score in read)

    def _keep(self, grey: Grey, seen: list[Seen]) -> list[Line]:
        self._grey, self._seen = grey, seen
        self._lines = [Line(one.text, one.score, one.box) for one in seen if is_text(one)]
        return self._lines

    def _read(self, time: float, pixels: Picture, grey: Grey) -> list[Seen]:
        found = self._ocr.find(pixels, SIDE)
        if found and np.median([_height(corners) for corners in found]) < LOW:
            found = self._ocr.find(pixels, FINE)
        within = self._within(time, found)
        boxes = [_box(corners) for corners in within]
        share = grey.shape[1] / pixels.shape[1]
        known = [self._known(box, grey, share) for box in boxes]
        new = [number for number, one in enumerate(known) if one is None]
        read = iter(self._ocr.read(pixels, [within[number] for number in new]))
        return [
            Seen(box, *(next(read) if one is None else (one.text, one.score)))
            for box, one in zip(boxes, known, strict=True)
        ]

    def _within(self, time: float, found: list[Corners]) -> list[Corners]:
        """The lines that are read, the highest where there are too many."""
        kept, length = [], 0.0
        for corners in sorted(found, key=_height, reverse=True)[:MOST_LINES]:
            length += _width(corners) / max(_height(corners), 1.0)
            if length > MOST_READ:
                break
            kept.append(corners)
        if len(kept) < len(found) and self.crowded is None:
            self.crowded = time
        return kept

    def _known(self, box: Box, grey: Grey, share: float) -> Seen | None:
        """What was read before at this place, if the same letters still stand there; `share` is
        the size of the grey pictures by that of the frames."""
        if self._grey.shape != grey.shape:
            return None
        for one in self._seen:
            if overlap(one.box, box) > SAME:
                left, top, right, bottom = (round(share * side) for side in box)
                place = np.s_[top:bottom, left:right]
                if is_same_line(self._grey[place], grey[place]):
                    return Seen(box, one.text, one.score)
        return None


def _widened(low: int, high: int, size: int, share: float, least: int = 0) -> tuple[int, int]:
    """A side of a place within a frame of some size, in pixels, made longer on both ends until the
    detector, which sees `share` of them, need not stretch or squeeze it; letters of seven pixels
    are lost where it does."""
    step = MULTIPLE / share
    length = min(size, round(math.ceil(max(high - low, least) / step) * step))
    start = min(max(0, (low + high - length) // 2), size - length)
    return start, start + length


def is_text(seen: Seen) -> bool:
    """Whether what was read is likely to be there: single letters mostly are not."""
    letters = _letters(seen.text)
    return letters > 1 and seen.score >= (SURER if letters < SHORT else SURE)


def _letters(text: str) -> int:
    return sum(map(str.isalnum, plain(text)))


def _box(corners: Corners) -> Box:
    (left, top), (right, bottom) = corners.min(0), corners.max(0)
    return float(left), float(top), float(right), float(bottom)


def _width(corners: Corners) -> float:
    return float(np.linalg.norm(corners[1] - corners[0]))


def _height(corners: Corners) -> float:
    return float(np.linalg.norm(corners[3] - corners[0]))
