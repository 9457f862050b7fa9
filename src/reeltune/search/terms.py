"""A query taken apart: words, pictures, videos and moments, which count for or against a moment.

`a dog + snow - people` is three terms. A `+` or `-` stands between spaces; in quotes it is a
character like any other. `@beach.jpg` is a picture or video on disk, and `#` and the id of a moment
is that moment.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from reeltune.errors import ConfigError
from reeltune.media.names import SUFFIXES
from reeltune.search.channels.question import quotes_of

SIGN = re.compile(r'(?P<quoted>"[^"]*")|(?:(?<=\s)|^)(?P<sign>[+-])(?=\s|$)')
MOMENT = re.compile(r"#[0-9a-f]{24}")
MOMENT_MEANT = re.compile(r"#(?=\D*\d)[0-9A-Fa-f]+")  # a number, or a part of an id
PICTURES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"))


@dataclass(frozen=True)
class Term:
    """One part of a query."""

    kind: Literal["words", "picture", "video", "moment"]
    value: str  # the words, the path, or the id
    counts: int = 1  # -1: against a moment


def terms(text: str) -> list[Term]:
    """The terms of a query, in their order.

    A text without signs is one term, letter by letter. Raises ConfigError where a term is empty,
    for an id that no moment can have, and for quotation marks that are no pair around words.
    """
    return [_term(part, counts) for part, counts in _parts(text)]


def _parts(text: str) -> Iterator[tuple[str, int]]:
    """What stands between the signs, and what each counts."""
    signs = [found for found in SIGN.finditer(text) if found["sign"]]
    if not signs:
        yield text, 1
        return
    if first := text[: signs[0].start()].strip():
        yield first, 1
    ends = [*(found.start() for found in signs[1:]), len(text)]
    for found, end in zip(signs, ends, strict=True):
        part = text[found.end() : end].strip()
        if not part:
            raise ConfigError(
                f"the query {text!r} has nothing after a {found['sign']}; write what it stands "
                "before, as in 'a dog - people', or put it in quotes"
            )
        yield part, 1 if found["sign"] == "+" else -1


def _term(part: str, counts: int) -> Term:
    if MOMENT.fullmatch(part):
        return Term("moment", part[1:], counts)
    path = part[1:].strip('"')
    suffix = "." + path.rpartition(".")[2].lower()
    if part.startswith("@") and suffix in PICTURES:
        return Term("picture", path, counts)
    if part.startswith("@") and suffix in SUFFIXES:
        return Term("video", path, counts)
    if MOMENT_MEANT.fullmatch(part):
        raise ConfigError(
            f"{part} is no id of a moment, which has 24 of the characters 0-9 and a-f; take one "
            "from --json (the number of a hit, such as #3, is known at the prompt alone), or write "
            "it without the # if it is a word"
        )
    quotes_of(part)
    return Term("words", part, counts)
