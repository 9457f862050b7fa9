"""Joins the lines of frames: over time where a text stays, and into the order of reading."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby

from reeltune.records import Phrase
from reeltune.search.channels.plain import plain

Box = tuple[float, float, float, float]  # left, top, right and bottom, in pixels
ALIKE = 0.7  # share of letters that two readings of one line have in common
MISSED = 1  # frames in a row that may lack a line which still stands
TOGETHER = 1.6  # s between the ends of lines that make one text
MOST = 20_000  # lines of one file


@dataclass(frozen=True)
class Line:
    """One line of one frame."""

    text: str
    score: float  # 0 to 1
    box: Box


@dataclass
class Track:
    """One line while it stands, with its best reading."""

    first: Line
    line: Line  # as it was read last
    start: float  # s, between the last frame without it and the first with it
    end: float  # s, the latest frame that shows it
    best: Line
    gone: float | None = None  # s, the first frame after `end`
    missed: int = 0

    def take(self, time: float, line: Line) -> None:
        """Take note that the line is there, read as `line`."""
        self.line, self.end, self.gone, self.missed = line, time, None, 0
        if _worth(line) > _worth(self.best):
            self.best = line

    def miss(self, time: float) -> None:
        """Take note that a frame does not show it."""
        self.gone = time if self.gone is None else self.gone
        self.missed += 1

    def until(self, end: float) -> float:
        """When it goes, in s; `end` is that of the video."""
        return max(self.end, end) if self.gone is None else (self.end + self.gone) / 2


class Following:
    """Takes the lines of each frame in turn; `phrases` has what they come to."""

    def __init__(self) -> None:
        self.is_full = False
        self._open: list[Track] = []
        self._closed: list[Track] = []
        self._before: float | None = None  # s, the frame before
        self._last: Sequence[Line] | None = None

    def add(self, time: float, lines: Sequence[Line]) -> None:
        """Take the lines of the frame shown at `time`, in s."""
        if lines is self._last:
            for track in self._open:
                if track.missed == 0:
                    track.end = time
                else:
                    track.miss(time)
        else:
            self._match(time, lines)
        self._closed += [track for track in self._open if track.missed > MISSED]
        self._open = [track for track in self._open if track.missed <= MISSED]
        self._before, self._last = time, lines

    def phrases(self, until: float) -> list[Phrase]:
        """Texts in the order of time, each of lines that come and go together; `until` is when
        the last frame goes, in s."""
        tracks = sorted(self._closed + self._open, key=lambda track: track.start)
        found = []
        for _, group in groupby(tracks, key=lambda track: track.start):
            for block in _blocks([(track, track.until(until)) for track in group]):
                lines = _in_order([(track.first.box, track.best.text) for track, _ in block])
                start = min(track.start for track, _ in block)
                end = max(end for _, end in block)
                found.append(Phrase(start=start, end=end, text=plain(joined(lines))))
        return found

    def _match(self, time: float, lines: Sequence[Line]) -> None:
        left = list(self._open)
        start = time if self._before is None else (self._before + time) / 2
        for line in lines:
            ways = [(likeness(track.line, line), number) for number, track in enumerate(left)]
            best, number = max(ways, default=(0.0, 0))
            if best > 0:
                left.pop(number).take(time, line)
            elif len(self._closed) + len(self._open) < MOST:
                self._open.append(Track(line, line, start, time, line))
            else:
                self.is_full = True
        for track in left:
            track.miss(time)


def likeness(before: Line, now: Line) -> float:
    """How surely two lines are one: 0 where they are not, above 1 where they read the same.

    Another reading must stand in the same place, and have most letters in common, or go on where
    the other ends, as a line does that is being typed.
    """
    a, b = _letters(before.text), _letters(now.text)
    place = overlap(before.box, now.box)
    if a == b:
        return 1.0 + place
    if place < 0.2:
        return 0.0
    short, long = sorted((a, b), key=len)
    if long.startswith(short):
        return place
    ratio = SequenceMatcher(None, a, b, autojunk=False).ratio()
    return ratio * place if ratio >= ALIKE else 0.0


def overlap(a: Box, b: Box) -> float:
    """Area that two boxes share, of the smaller one's."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return max(0.0, width) * max(0.0, height) / max(min(areas), 1.0)


def joined(lines: Iterable[str]) -> str:
    """Lines as one text; Chinese and Japanese have no spaces between words."""
    text = ""
    for line in lines:
        spaced = text and not (_is_unspaced(text[-1]) and _is_unspaced(line[:1]))
        text += f" {line}" if spaced else line
    return text


def _is_unspaced(letter: str) -> bool:
    return "\u3000" <= letter <= "\u9fff" or "\uff00" <= letter <= "\uffef"


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _worth(line: Line) -> float:
    return line.score * len(line.text)


def _blocks(tracks: list[tuple[Track, float]]) -> list[list[tuple[Track, float]]]:
    """Lines that began together, in groups that stand beside or below one another and go together;
    from the top of the picture to its bottom."""
    blocks: list[list[tuple[Track, float]]] = []
    for one in sorted(tracks, key=lambda pair: pair[0].first.box[1]):
        near = [block for block in blocks if any(_is_near(other, one) for other in block)]
        blocks = [block for block in blocks if block not in near]
        blocks.append([*(pair for block in near for pair in block), one])
    return sorted(blocks, key=lambda block: min(track.first.box[1] for track, _ in block))


def _is_near(a: tuple[Track, float], b: tuple[Track, float]) -> bool:
    (left, top, right, bottom), other = a[0].first.box, b[0].first.box
    heights = sorted((bottom - top, other[3] - other[1]))
    if abs(a[1] - b[1]) > TOGETHER or heights[1] > 1.7 * max(heights[0], 1.0):
        return False
    across = max(left, other[0]) - min(right, other[2])  # gaps, negative where they overlap
    down = max(top, other[1]) - min(bottom, other[3])
    is_beside = down < -0.5 * heights[0] and across < 1.5 * heights[0]
    is_below = down < 1.2 * heights[0] and across < 0
    return is_beside or is_below


def _in_order(lines: list[tuple[Box, str]]) -> list[str]:
    """Texts of the lines row by row, each row from left to right."""
    rows: list[list[tuple[Box, str]]] = []
    for box, text in sorted(lines, key=lambda line: line[0][1] + line[0][3]):
        middle = (box[1] + box[3]) / 2
        if rows and middle < rows[-1][0][0][3] - 0.25 * (box[3] - box[1]):
            rows[-1].append((box, text))
        else:
            rows.append([(box, text)])
    return [text for row in rows for _, text in sorted(row, key=lambda line: line[0][0])]
