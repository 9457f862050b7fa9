"""Words of a text as they are compared: in lower case, without accents, wherever they stand."""

import re
import unicodedata
from typing import NamedTuple

WORD = re.compile(r"[^\W_][^\W_\u0300-\u036f]*(?:['\u2019]?[^\W_\u0300-\u036f]+|[\u0300-\u036f])*")
ACCENTS = re.compile(r"[\u0300-\u036f'\u2019]")
APART = str.maketrans({"ß": "ss", "ø": "o", "đ": "d", "ł": "l", "æ": "ae", "œ": "oe", "ı": "i"})


class Token(NamedTuple):
    """A word as it is compared, and where it stands in its text."""

    word: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """The words of a text in their order; an apostrophe within a word is left out."""
    return [Token(fold(m[0]), m.start(), m.end()) for m in WORD.finditer(text)]


def words(text: str) -> list[str]:
    """The words of a text in their order, as they are compared."""
    return [fold(word) for word in WORD.findall(text)]


def fold(word: str) -> str:
    """A word without the difference of case, accents and width."""
    if word.isascii():
        return word.lower().replace("'", "")
    apart = unicodedata.normalize("NFKD", word.casefold()).translate(APART)
    return ACCENTS.sub("", apart)
