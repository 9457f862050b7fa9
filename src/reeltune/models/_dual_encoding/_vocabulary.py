"""Words that a model knows, and how it reads a text."""

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch.nn.utils.rnn import pad_sequence

from reeltune.errors import CheckpointError, DataError, counted, in_short
from reeltune.models.opening.material import Letters
from reeltune.storage.regular_file import read_bytes
from reeltune.types import Tokens

FILE = "vocabulary.json"  # beside the weights

PAD, START, END, UNKNOWN = range(4)
SPECIALS = 4  # ids below this stand for no word
# Enough for a model without captions of its own, as in tests, to read a sentence.
FREQUENT = ("a", "man", "is", "the", "in", "on", "and", "woman", "of", "with", "to", "two", "dog")


def split_words(text: str, letters: Letters = "ascii") -> list[str]:
    """Runs of letters and digits in lower case.

    "ascii" keeps a to z and 0 to 9, as the released models read text: all else parts words.
    "unicode" keeps letters, accents and digits of every script, in one form each (NFKC).
    """
    if letters == "unicode":
        text = unicodedata.normalize("NFKC", text)
        kept = (c if unicodedata.category(c)[0] in "LMN" else " " for c in text)
    else:
        kept = (c if c.isascii() and c.isalnum() else " " for c in text)
    return "".join(kept).lower().split()


@dataclass(frozen=True)
class Vocabulary:
    """Words in the order of their ids, which begin after the special tokens."""

    words: tuple[str, ...]
    letters: Letters = "ascii"  # that words are made of
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ids = {word: SPECIALS + place for place, word in enumerate(self.words)}
        if len(ids) < len(self.words):
            twice = next(word for word, times in Counter(self.words).items() if times > 1)
            raise DataError(f"the vocabulary has {twice!r} more than once; give each word once")
        object.__setattr__(self, "_ids", ids)

    @property
    def facts(self) -> dict[str, object]:
        """Everything that determines how a text is read."""
        return {"letters": self.letters, "words": self.words}

    def __len__(self) -> int:
        return len(self.words)

    @classmethod
    def of(
        cls, captions: Iterable[str], at_least: int = 5, letters: Letters = "ascii"
    ) -> "Vocabulary":
        """The vocabulary of words that occur at least so often, in the order of their first
        occurrence."""
        counts = Counter(w for caption in captions for w in split_words(caption, letters))
        words = tuple(word for word, times in counts.items() if times >= at_least)
        if not words:
            raise DataError(
                f"no word occurs {counted(at_least, 'time')} in the captions; give more captions, "
                "a smaller number by --set words.at_least=1, or, where they are not written in a "
                "to z, --set words.letters=unicode"
            )
        return cls(words, letters)

    @classmethod
    def stand_in(cls, words: int) -> "Vocabulary":
        """`count` words for a model with random weights: frequent ones, then made-up ones."""
        made_up = (f"word{place}" for place in range(len(FREQUENT), words))
        return cls((*FREQUENT[:words], *made_up))

    def ids(self, text: str) -> list[int]:
        """Start mark, words, end mark; words that are not in the vocabulary are `UNKNOWN`."""
        return [
            START,
            *(self._ids.get(word, UNKNOWN) for word in split_words(text, self.letters)),
            END,
        ]

    def tokenize(self, texts: Sequence[str], beside: Tokens | None = None) -> Tokens:
        """Ids of several texts, padded at their ends.

        Behind those of each text stand the ids that another tokenizer gave it, `beside`, moved
        above the words'.
        """
        if not texts:
            raise DataError("there is no text to tokenize; give at least one")
        words = padded([self.ids(text) for text in texts])
        if beside is None:
            return words
        both = zip(texts, beside.ids.cpu(), beside.mask.cpu(), strict=True)
        above = SPECIALS + len(self)
        rows = [self.ids(text) + (above + ids[mask]).tolist() for text, ids, mask in both]
        return replace(padded(rows), known=words.known, cut=beside.cut)

    def write(self, path: Path) -> None:
        """Write one JSON object with a line for each word."""
        text = json.dumps(self.facts, ensure_ascii=False, indent=0)
        path.write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Vocabulary":
        """The vocabulary that `write` wrote; raises CheckpointError if there is none."""
        try:
            stored = _Stored.model_validate_json(read_bytes(path))
        except (OSError, ValidationError) as error:
            raise CheckpointError(
                f"{path} cannot be read as a vocabulary ({in_short(error)}); "
                "take it from where the weights came from"
            ) from error
        return cls(stored.words, stored.letters)


class _Stored(BaseModel):
    """The file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    letters: Letters
    words: tuple[str, ...]


def padded(rows: Sequence[Sequence[int]]) -> Tokens:
    """Rows of ids as one block, short ones padded at their ends; no row is ever cut."""
    ids = pad_sequence([torch.tensor(row) for row in rows], True, PAD)  # (B, L)
    lengths = torch.tensor([len(row) for row in rows])
    known = (ids >= SPECIALS).any(dim=1)
    return Tokens(ids, torch.arange(ids.shape[1]) < lengths[:, None], known)
