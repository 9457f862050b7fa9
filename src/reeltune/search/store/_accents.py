"""Texts in filters, in which a letter with its accents is one letter in either form of Unicode.

macOS stores "é" in names as "e" and an accent, and Korean syllables as their parts; keyboards write
each as one letter.
"""

import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise

REST = r"\p{M}\x{1160}-\x{11FF}"  # accents, and the later parts of Korean syllables
LETTER = f"[^{REST}][{REST}]*"
ANY = ".*"


def has_two_forms(text: str) -> bool:
    """Whether a text is written differently in the two forms."""
    return unicodedata.normalize("NFC", text) != unicodedata.normalize("NFD", text)


def equal(column: str, text: str) -> str:
    """Whether a column is a text, in the table's words."""
    if not has_two_forms(text):
        return f"{column} = {_quoted(text)}"
    return one_of(column, [text])


def one_of(column: str, texts: Sequence[str]) -> str:
    """Whether a column is one of some texts, in the table's words.

    Its lists would not do: `x in (..) and not x in (..)` is false to the table where x is unknown,
    and not unknown.
    """
    each = "|".join("".join(map(_letter, unicodedata.normalize("NFC", one))) for one in texts)
    return f"regexp_like({column}, {_quoted(f'^(?s:{each})$')})"


def like(column: str, pattern: str, any_case: bool) -> str:
    """Whether a column is like a pattern: `%` is any text, `_` is any letter with its accents, and
    a letter without accents is not the same letter with some."""
    parts = _parts(unicodedata.normalize("NFC", pattern))
    whole = "".join(
        f"(?:[^{REST}].*)?" if part == ANY and before not in ("^", ANY) else part
        for before, part in pairwise(["^", *parts])
    )
    flags = "(?is)" if any_case else "(?s)"
    return f"regexp_like({column}, {_quoted(f'^{flags}{whole}$')})"


def _parts(pattern: str) -> list[str]:
    """Regular expressions for what a pattern is made of."""
    found, escaped = [], False
    for letter in pattern:
        if letter == "\\" and not escaped:
            escaped = True
            continue
        wild = {"%": ANY, "_": LETTER}.get(letter)
        found.append(wild if wild and not escaped else _letter(letter))
        escaped = False
    return found


def _letter(letter: str) -> str:
    apart = unicodedata.normalize("NFD", letter)
    return re.escape(letter) if apart == letter else f"(?:{re.escape(letter)}|{re.escape(apart)})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
