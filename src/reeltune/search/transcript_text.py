"""A transcript as a file that players and people read.

Formats are SubRip (srt), WebVTT (vtt, https://www.w3.org/TR/webvtt1) and plain lines (txt).
"""

from collections.abc import Iterator, Sequence
from typing import Literal

from reeltune.records import Phrase

Format = Literal["txt", "srt", "vtt"]
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}  # what WebVTT reads as more than a letter


def lines_of(phrases: Sequence[Phrase], format: Format) -> Iterator[str]:
    """The lines of the file; a phrase's own text is one of them."""
    if format == "vtt":
        yield from ("WEBVTT", "")
    for number, phrase in enumerate(phrases, 1):
        match format:
            case "txt":
                yield phrase.text
            case "srt":
                yield from (str(number), _times(phrase, ","), phrase.text, "")
            case "vtt":
                text = "".join(ENTITIES.get(letter, letter) for letter in phrase.text)
                yield from (_times(phrase, "."), text, "")


def _times(phrase: Phrase, point: str) -> str:
    return f"{_clock(phrase.start, point)} --> {_clock(phrase.end, point)}"


def _clock(seconds: float, point: str) -> str:
    """Seconds as 01:02:03,456."""
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    minutes, rest = divmod(whole, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest:02d}{point}{thousandths:03d}"
