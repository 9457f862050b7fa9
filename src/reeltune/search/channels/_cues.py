"""Subtitles as phrases, whoever wrote them: markup is taken off, and what is no cue is counted."""

import html
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from reeltune.errors import counted
from reeltune.records import Phrase

Form = Literal["srt", "vtt", "ass"]
CUES = 100_000  # of one file
LONGEST = 1000  # characters of one cue
LASTS = 600.0  # s that one cue may stand
UNTOLD = 5.0  # s that a cue stands where the file does not say
LATEST = 48 * 3600.0  # s
JOINED = 0.1  # s between two cues of the same words that are one
TAG = re.compile(r"</?[A-Za-z0-9][^<>]{0,200}>")
OVERRIDE = re.compile(r"\{[^{}]{0,2000}\}")  # of ASS, which people write into SRT as well
DRAWING = re.compile(r"\\p[1-9]")
BREAK = re.compile(r"\\[Nn]|\r?\n")
ARROW = "-->"


@dataclass
class Cues:
    """Cues of one file, and how many of its lines were none."""

    found: list[Phrase] = field(default_factory=list)
    broken: int = 0
    is_cut: bool = False  # at the limit of cues

    def note(self) -> str:
        """What was wrong; empty if nothing was."""
        said = []
        if self.broken:
            said.append(f"{counted(self.broken, 'malformed subtitle')} left out")
        if self.is_cut:
            said.append(f"the limit of {CUES} subtitles was reached")
        return "; ".join(said)


def read_cues(text: str, form: Form) -> Cues:
    """The cues of a file of subtitles, in the order of time."""
    cues = Cues()
    timed: list[tuple[float, float, str]] = []
    for head, lines in _events_of_ass(text) if form == "ass" else _blocks(text, form):
        if len(timed) + cues.broken == CUES:
            cues.is_cut = True
            break
        event = _event(head, form)
        if event is None or event.end < event.start or event.start > LATEST * 1000:
            cues.broken += 1
        elif event.end > 0:
            start, end = max(0.0, event.start / 1000), event.end / 1000
            marked = event.text if form == "ass" else lines
            timed.append((start, min(end, start + LASTS), marked))
    cues.found = as_phrases(timed)
    return cues


def as_phrases(timed: Iterable[tuple[float, float, str]]) -> list[Phrase]:
    """Phrases out of (start, end, text with markup), in the order of time.

    Captions that roll, each beginning with the line that the last one ended with, are told once.
    """
    phrases: list[Phrase] = []
    ordered = sorted(timed, key=lambda cue: cue[:2])
    last_line, last_end = "", 0.0
    for place, (start, end, marked) in enumerate(ordered):
        if end <= start:
            following = ordered[place + 1][0] if place + 1 < len(ordered) else start + UNTOLD
            end = max(start, min(start + UNTOLD, following))
        lines = bare_lines(marked)
        rolled = lines[1:] if lines and lines[0] == last_line and start <= last_end + 1 else lines
        if lines:
            last_line, last_end = lines[-1], max(last_end, end)
        text = " ".join(rolled)[:LONGEST].strip()
        before = phrases[-1] if phrases else None
        is_same = before is not None and (before.text == text or bool(lines and not rolled))
        if before is not None and is_same and start <= before.end + JOINED:
            longer = max(before.end, end)
            phrases[-1] = Phrase(start=before.start, end=longer, text=before.text)
        elif text:
            phrases.append(Phrase(start=start, end=end, text=text))
    return phrases


def bare_lines(marked: str) -> list[str]:
    """Lines of a cue without the markup of HTML, WebVTT and ASS."""
    cut = marked[: 4 * LONGEST]
    if DRAWING.search(cut):
        return []
    bare = TAG.sub("", OVERRIDE.sub("", cut)).replace(r"\h", " ")
    lines = (" ".join(html.unescape(line).split()) for line in BREAK.split(bare))
    return [seen for line in lines if (seen := "".join(filter(_is_text, line)).strip())]


def _is_text(character: str) -> bool:
    return character.isprintable() or character in "\u200c\u200d"


def _blocks(text: str, form: Form) -> Iterator[tuple[str, str]]:
    """Each line with an arrow between times, and the text that belongs to it.

    In WebVTT an empty line ends that; in SubRip the number of the next cue does, if it has one.
    """
    head, held, length = "", list[str](), 0
    for line in text.split("\n"):
        if ARROW in line:
            if head:
                yield head, "\n".join(held[:-1] if held and held[-1].strip().isdecimal() else held)
            head, held, length = line[:200], [], 0
        elif form == "vtt" and head and not line.strip():
            yield head, "\n".join(held)
            head, held, length = "", [], 0
        elif head and line.strip() and (length < 2 * LONGEST or line.strip().isdecimal()):
            held.append(line[: 2 * LONGEST])
            length += len(held[-1])
    if head:
        yield head, "\n".join(held)


def _events_of_ass(text: str) -> Iterator[tuple[str, str]]:
    for line in text.split("\n"):
        if line.startswith("Dialogue:"):
            yield line[: 4 * LONGEST], ""


def _event(head: str, form: Form) -> Any:
    """When a cue stands, as pysubs2 reads it, and its text in ASS; None for what is none."""
    import pysubs2

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fields that are not looked at
        try:
            return next(iter(pysubs2.SSAFile.from_string(head, form).events), None)
        except (ValueError, TypeError, OverflowError, pysubs2.exceptions.Pysubs2Error):
            return None
