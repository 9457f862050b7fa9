"""Words that a model knows, and how it reads a text."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch.nn.utils.rnn import pad_sequence

from reeltune.errors import CheckpointError, DataError
from reeltune.types import Tokens

PAD, START, END, UNKNOWN = range(4)
SPECIALS = 4  # ids below this stand for no word
# Enough for a model without captions of its own, as in tests, to read a sentence.
FREQUENT = ("a", "man", "is", "the", "in", "on", "and", "woman", "of", "with", "to", "two", "dog")


def split_words(text: str) -> list[str]:
    """Runs of ASCII letters and digits in lower case, as the released models read text."""
    return re.sub(r"[^A-Za-z0-9]", " ", text).lower().split()


@dataclass(frozen=True)
class Vocabulary:
    """Words in the order of their ids, which begin after the special tokens."""

    words: tuple[str, ...]
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ids = {word: SPECIALS + place for place, word in enumerate(self.words)}
        if len(ids) < len(self.words):
            twice = next(word for word, times in Counter(self.words).items() if times > 1)
            raise DataError(f"the vocabulary has {twice!r} more than once; give each word once")
        object.__setattr__(self, "_ids", ids)

    def __len__(self) -> int:
        return len(self.words)

    @classmethod
    def of(cls, captions: Iterable[str], at_least: int = 5) -> "Vocabulary":
        """Words that occur at least so often, in the order in which they first occur."""
        counts = Counter(word for caption in captions for word in split_words(caption))
        words = tuple(word for word, times in counts.items() if times >= at_least)
        if not words:
            raise DataError(
                f"no word occurs {at_least} times in the captions; give more captions, "
                "or a smaller number by --set words.at_least=1"
            )
        return cls(words)

    @classmethod
    def stand_in(cls, words: int) -> "Vocabulary":
        """So many words for a model of random weights: frequent ones, then made-up ones."""
        made_up = (f"word{place}" for place in range(len(FREQUENT), words))
        return cls((*FREQUENT[:words], *made_up))

    def ids(self, text: str) -> list[int]:
        """Start mark, words, end mark; words that are not in the vocabulary are `UNKNOWN`."""
        return [START, *(self._ids.get(word, UNKNOWN) for word in split_words(text)), END]

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        """Ids of several texts, padded at their ends."""
        if not texts:
            raise DataError("there is no text to tokenize; give at least one")
        return padded([self.ids(text) for text in texts])

    def write(self, path: Path) -> None:
        """One JSON list."""
        text = json.dumps(self.words, ensure_ascii=False, indent=0)
        path.write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Vocabulary":
        """The vocabulary that `write` wrote; raises CheckpointError if there is none."""
        try:
            words = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"{path} cannot be read as a vocabulary ({error}); "
                "take it from where the weights came from"
            ) from error
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise CheckpointError(f"{path} is no JSON list of words; take it from the weights' own")
        return cls(tuple(words))


def padded(rows: Sequence[Sequence[int]]) -> Tokens:
    """Rows of ids as one block, short ones padded at their ends."""
    ids = pad_sequence([torch.tensor(row) for row in rows], True, PAD)  # (B, L)
    lengths = torch.tensor([len(row) for row in rows])
    return Tokens(ids, torch.arange(ids.shape[1]) < lengths[:, None])
