"""Texts in filters, which match letters with accents in either form of Unicode.

macOS stores "é" in names as "e" and an accent, and keyboards write it as one letter.
"""

import re
import unicodedata


def has_two_forms(text: str) -> bool:
    """Whether a text is written differently in the two forms."""
    return unicodedata.normalize("NFC", text) != unicodedata.normalize("NFD", text)


def pattern(text: str, is_like: bool, any_case: bool) -> str:
    """A regular expression for a text in either form; `%` and `_` of `like` are what they are
    there."""
    composed = unicodedata.normalize("NFC", text)
    found, escaped = ["^(?is)" if any_case else "^(?s)"], False
    for letter in composed:
        if is_like and letter == "\\" and not escaped:
            escaped = True
            continue
        wild = {"%": ".*", "_": "."}.get(letter) if is_like and not escaped else None
        found.append(wild or _letter(letter))
        escaped = False
    return "".join([*found, "$"])


def _letter(letter: str) -> str:
    apart = unicodedata.normalize("NFD", letter)
    return re.escape(letter) if apart == letter else f"(?:{re.escape(letter)}|{re.escape(apart)})"
