"""The words of many phrases, and in which phrases a word of a query stands.

A word is found as it is, and loosely: as the beginning of another ("birth" in "birthday"), inside a
compound ("Geburtstag" in "Kindergeburtstag"), in two words ("ice cream" for "icecream" and the
other way round), and without the last letter or two ("dogs" in "dog").

Lance's own full-text index was measured beside this (docs/measured/search.md): by words it knows
no beginnings, and by groups of three letters it needs 76 ms for a sentence and knows no order.
"""

from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int, UInt8

from reeltune.search.channels.tokens import words

BEGINNING, INSIDE, PIECE = 3, 4, 2  # letters that a word needs to be found so
MISHEARD = 5  # letters of a word that may differ in one
ENDING = 2  # letters that a word of a query may have more
LAST = "\U0010ffff"  # sorts after every letter
ABSENT, LOOSE, EXACT = 0, 1, 2


@dataclass(frozen=True)
class Vocabulary:
    """W distinct words of P phrases, which are T words long together."""

    words: list[str]  # W, sorted, so that those of one beginning stand together
    flat: Int[np.ndarray, " T"]  # the words of all phrases, one phrase after the other
    phrase: Int[np.ndarray, " T"]  # to which each of them belongs
    count: int  # P
    order: Int[np.ndarray, " T"]  # places in `flat`, word after word
    starts: Int[np.ndarray, " _"]  # where each word begins in `order`

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Vocabulary":
        """The words of phrases."""
        apart = [words(text) for text in texts]
        known = sorted({word for each in apart for word in each})
        number = {word: place for place, word in enumerate(known)}
        flat = np.array([number[word] for each in apart for word in each], np.int64)
        phrase = np.repeat(np.arange(len(apart)), [len(each) for each in apart])
        order = np.argsort(flat, kind="stable")
        starts = np.searchsorted(flat[order], np.arange(len(known) + 1))
        return cls(known, flat, phrase.astype(np.int64), len(apart), order, starts)

    def levels(
        self, word: str, after: str = "", forms: Collection[int] | None = None
    ) -> UInt8[np.ndarray, " P"]:
        """How each phrase has a word of a query: not at all, loosely, or as it is; `after` is the
        next word of the query, with which it may be one word here, and `forms` is what `forms` has
        found, where it was asked already."""
        found = np.full(self.count, ABSENT, np.uint8)
        for one in self.forms(word) if forms is None else forms:
            found[self._phrases(one)] = LOOSE
        for before, behind in self._pieces(word):
            found[self._adjacent([before, behind])] = LOOSE
        if after and (joined := self._number(word + after)) is not None:
            found[self._phrases(joined)] = LOOSE
        if (own := self._number(word)) is not None:
            found[self._phrases(own)] = EXACT
        return found

    def having(self, phrase: Sequence[str]) -> Int[np.ndarray, " F"]:
        """Where in `flat` these words follow each other, within a phrase or across phrases."""
        numbers = [self._number(word) for word in phrase]
        known = [number for number in numbers if number is not None]
        return self._runs(known) if known and len(known) == len(numbers) else self.order[:0]

    def forms(self, word: str) -> set[int]:
        """Other words that have a word, or nearly have it."""
        found: set[int] = set()
        if len(word) >= BEGINNING:
            first = bisect_left(self.words, word)
            found.update(range(first, bisect_left(self.words, word + LAST)))
        if len(word) >= INSIDE or not word.isascii():
            found.update(self._containing(word))
        found.update(self._misheard(word) if len(word) >= MISHEARD else ())
        shorter = (word[:-cut] for cut in range(1, ENDING + 1))
        cut = (self._number(one) for one in shorter if len(one) >= BEGINNING)
        found.update(one for one in cut if one is not None)
        return found - {self._number(word)}

    def _misheard(self, word: str) -> list[int]:
        """Words that differ in one letter, so that one half of them does not."""
        half = len(word) // 2
        first, last = word[:half], word[half:]
        begin, end = bisect_left(self.words, first), bisect_left(self.words, first + LAST)
        near = set(range(begin, end))
        turned, numbers = self._turned
        begin = bisect_left(turned, last[::-1])
        near.update(numbers[begin : bisect_left(turned, last[::-1] + LAST)])
        return [one for one in near if differ_in_one(word, self.words[one])]

    @cached_property
    def _turned(self) -> tuple[list[str], list[int]]:
        """The words from their ends on, sorted, and their numbers."""
        pairs = sorted((word[::-1], number) for number, word in enumerate(self.words))
        return [word for word, _ in pairs], [number for _, number in pairs]

    def _containing(self, word: str) -> set[int]:
        text, starts = self._joined
        places, at = [], text.find(word)
        while at >= 0:
            places.append(at)
            at = text.find(word, at + 1)
        return set((np.searchsorted(starts, places, side="right") - 1).tolist())

    @cached_property
    def _joined(self) -> tuple[str, Int[np.ndarray, " W"]]:
        lengths = np.array([len(word) + 1 for word in self.words], np.int64)
        return "\n".join(self.words), np.cumsum(lengths) - lengths

    def _number(self, word: str) -> int | None:
        place = bisect_left(self.words, word)
        return place if place < len(self.words) and self.words[place] == word else None

    def _phrases(self, number: int) -> Int[np.ndarray, " F"]:
        return self.phrase[self.order[self.starts[number] : self.starts[number + 1]]]

    def _pieces(self, word: str) -> list[tuple[int, int]]:
        """Every two words that are a word when they stand together."""
        found = []
        for at in range(PIECE, len(word) - PIECE + 1):
            before, behind = self._number(word[:at]), self._number(word[at:])
            if before is not None and behind is not None:
                found.append((before, behind))
        return found

    def _adjacent(self, numbers: Sequence[int]) -> Int[np.ndarray, " F"]:
        """Phrases in which these words follow each other."""
        first = self._runs(numbers)
        same = self.phrase[first] == self.phrase[first + len(numbers) - 1]
        return self.phrase[first[same]]

    def _runs(self, numbers: Sequence[int]) -> Int[np.ndarray, " F"]:
        first = self.order[self.starts[numbers[0]] : self.starts[numbers[0] + 1]]
        for offset, number in enumerate(numbers[1:], 1):
            first = first[first + offset < len(self.flat)]
            first = first[self.flat[first + offset] == number]
        return first


def differ_in_one(one: str, other: str) -> bool:
    """Whether a letter is wrong, missing or too many."""
    if abs(len(one) - len(other)) > 1 or one == other:
        return False
    short, long = sorted((one, other), key=len)
    same = next(at for at in range(len(long)) if short[: at + 1] != long[: at + 1])
    return short[same + (len(short) == len(long)) :] == long[same + 1 :]
