"""What a query asks of words that are said or shown."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from reeltune.errors import ConfigError
from reeltune.search.channels.tokens import words

QUOTED = re.compile(r'"([^"]*)"|\u201c([^\u201d]*)\u201d|\u201e([^\u201c\u201d]*)[\u201c\u201d]')
HALF = re.compile(r'(?<!\d)"|[\u201c\u201d\u201e]')  # 5" of snow are inches
LONGEST = 32  # words of a query that are looked up


@dataclass(frozen=True)
class Question:
    """A query as words and as a vector; phrases in its quotes must be there word by word."""

    words: list[str]  # in their order
    quotes: list[list[str]]
    vector: Float[np.ndarray, "384"]
    rank: dict[str, int]  # how many words of the language are commoner

    @classmethod
    def of(
        cls,
        text: str,
        vector: Float[np.ndarray, "384"],
        ranks: Callable[[Sequence[str]], list[int]],
    ) -> "Question":
        """The question that a text is."""
        asked = words(text)[:LONGEST]
        return cls(asked, quotes_of(text), vector, dict(zip(asked, ranks(asked), strict=True)))


def quotes_of(text: str) -> list[list[str]]:
    """The phrases in quotes, each as its words.

    Raises ConfigError for a quotation mark without its other half, and for quotes without words.
    """
    if half := HALF.search(QUOTED.sub(" ", text)):
        raise ConfigError(
            f"the query {text!r} has a quotation mark ({half[0]}) without its other half; write "
            "both around a phrase, or leave it out"
        )
    inside = ("".join(found.groups(default="")) for found in QUOTED.finditer(text))
    phrases = [words(phrase) for phrase in inside]
    if not all(phrases):
        raise ConfigError(
            f"the query {text!r} has quotes without a word in them; write the words that must be "
            "said or shown, or leave the quotes out"
        )
    return phrases
