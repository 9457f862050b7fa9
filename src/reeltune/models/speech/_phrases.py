"""Words with their times as phrases that a person would read at once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reeltune.types import Phrase

APART = 1.0  # s of silence that ends a phrase
SHORT_PAUSE = 0.5  # s that end one which could be a sentence of few words
FEW = 4  # words; a shorter sentence goes with the next
LONG, LONGEST = 80, 120  # characters, after which a comma, and any word, ends a phrase
LASTS = 10.0  # s
ENDS, COMMAS = (".", "?", "!", "…", "。", "？", "！"), (",", ";", ":", "，", "、")
PARTS = ("-", "'", "’", ".", ",", "%")  # begin what belongs to the word before
_SHORT = "mr. mrs. ms. dr. st. prof. jr. sr. vs. etc. e.g. i.e."
ABBREVIATIONS = frozenset(_SHORT.split())
REPEATS = 2  # phrases of the same words in a row that are believed; more are a loop


@dataclass(frozen=True)
class Word:
    """A word as it was heard, with the space and the marks around it."""

    start: float  # s
    end: float
    text: str


def phrases(words: Iterable[Word]) -> Iterator[Phrase]:
    """Phrases out of words in the order of time."""
    held: list[Word] = []
    for word in words:
        if held and _is_over(held, word):
            yield _phrase(held)
            held = []
        held.append(word)
    if held:
        yield _phrase(held)


def without_loops(found: Iterable[Phrase]) -> Iterator[Phrase]:
    """Phrases but for those that say the same as the ones before, again and again."""
    last, count = "", 0
    for phrase in found:
        same = phrase.text.casefold()
        count = count + 1 if same == last else 1
        last = same
        if count <= REPEATS:
            yield phrase


def _is_over(held: list[Word], following: Word) -> bool:
    """Whether a phrase ends before the word that follows."""
    text = "".join(word.text for word in held).strip()
    gap, last = following.start - held[-1].end, text.split()[-1] if text else ""
    if gap <= APART and following.text.startswith(PARTS):
        return False
    if gap > APART or len(text) > LONGEST or following.end - held[0].start > LASTS:
        return True
    if last.endswith(ENDS) and last.casefold() not in ABBREVIATIONS:
        return len(held) >= FEW or gap > SHORT_PAUSE
    return len(text) > LONG and last.endswith(COMMAS)


def _phrase(held: list[Word]) -> Phrase:
    text = "".join(word.text for word in held).strip()
    start, end = max(0.0, held[0].start), max(0.0, held[-1].end)
    return Phrase(start=round(start, 3), end=round(max(end, start), 3), text=text)
