"""Vocabularies as the released code stores them: pickles of one class.

The only file that opens a pickle, and it builds nothing but plain values and that class, which
here is an empty one. It is for converting, never for running.
"""

from pathlib import Path
from pickle import Unpickler
from typing import Any

from reeltune.errors import CheckpointError, in_short
from reeltune.models._dual_encoding._vocabulary import SPECIALS, Vocabulary
from reeltune.storage.regular_file import opened

MARKS = ("<pad>", "<start>", "<end>", "<unk>")  # of the vocabulary for the GRU, in this order


class _Stored:
    """Stands in for the released class; what was stored becomes its attributes."""

    word2idx: dict[str, int]


class _OnlyVocabulary(Unpickler):
    """Knows one class by its name, wherever it came from, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if name == "Vocabulary":
            return _Stored
        raise CheckpointError(f"it asks for {module}.{name}")


def read_official(path: Path) -> Vocabulary:
    """The words of `word_vocab_5.pkl`, of bag of words or of the GRU, in the order of their ids.

    Errors: `CheckpointError` for a file that is no such pickle, or that asks for more than one.
    """
    try:
        with opened(path) as file:
            stored = _OnlyVocabulary(file, encoding="latin-1").load()
        places = sorted((place, word) for word, place in stored.word2idx.items())
        words = tuple(word for _, word in places)
    except Exception as error:  # a pickle can fail in any way at all
        raise CheckpointError(
            f"{path} is not a vocabulary of the released code ({in_short(error)}); "
            "give vocabulary/rnn/word_vocab_5.pkl of the collection it was trained on"
        ) from error
    if [place for place, _ in places] != list(range(len(places))):
        raise CheckpointError(f"the ids in {path} leave some out; copy the file again")
    return Vocabulary(words[SPECIALS:] if words[:SPECIALS] == MARKS else words)
