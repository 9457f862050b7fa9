"""Remembers the vectors of texts that were read last, as people ask for the same more than once.

A page of hits, its export and the strip of a video all ask for the words of one search.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
from jaxtyping import Float32

from reeltune.models.text_towers.together import Together

KEPT = 1024  # texts; 2 MB at 512 columns
Read = Callable[[Sequence[str]], Float32[np.ndarray, "N D"]]


class Recent:
    """Vectors of texts by `read`, for any number of threads: those that come at once share a pass,
    and `read` is never called by two of them."""

    def __init__(self, read: Read, turns: AbstractContextManager[object] = nullcontext()) -> None:
        """Rounds of those with the same `turns` take turns, see `Together`."""
        self._read, self._kept = read, OrderedDict[str, Float32[np.ndarray, " D"]]()
        self._changes = threading.Lock()  # of what is kept
        self._together = Together(self._answers, turns=turns)

    def __call__(self, texts: Sequence[str]) -> Float32[np.ndarray, "N D"]:
        """Vectors of N texts, 1 or more; those that are remembered wait for nobody."""
        with self._changes:
            if all(text in self._kept for text in texts):
                return self._remembered(texts)
        return self._together(texts)

    def _answers(self, asked: list[Sequence[str]]) -> list[Float32[np.ndarray, "N D"]]:
        with self._changes:
            new = [
                *dict.fromkeys(text for texts in asked for text in texts if text not in self._kept)
            ]
        made = self._read(new) if new else ()
        with self._changes:
            self._kept.update(zip(new, made, strict=True))
            answers = [self._remembered(texts) for texts in asked]
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return answers

    def _remembered(self, texts: Sequence[str]) -> Float32[np.ndarray, "N D"]:
        for text in texts:
            self._kept.move_to_end(text)
        return np.stack([self._kept[text] for text in texts])
