"""Remembers the vectors of texts that were read last, as people ask for the same more than once.

A page of hits, its export and the strip of a video all ask for the words of one search.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float32

from reeltune.models.text_towers.together import Together

KEPT = 1024  # texts; 2 MB at 512 columns
Read = Callable[[Sequence[str]], Float32[np.ndarray, "N D"]]


class Recent:
    """Vectors of texts by `read`, for any number of threads: those that come at once share a pass,
    and `read` is never called by two of them."""

    def __init__(self, read: Read) -> None:
        self._read, self._kept = read, OrderedDict[str, Float32[np.ndarray, " D"]]()
        self._together = Together(self._answers)

    def __call__(self, texts: Sequence[str]) -> Float32[np.ndarray, "N D"]:
        """Vectors of N texts, 1 or more."""
        return self._together(texts)

    def _answers(self, asked: list[Sequence[str]]) -> list[Float32[np.ndarray, "N D"]]:
        wanted = dict.fromkeys(text for texts in asked for text in texts)
        if new := [text for text in wanted if text not in self._kept]:
            self._kept.update(zip(new, self._read(new), strict=True))
        for text in wanted:
            self._kept.move_to_end(text)
        answers = [np.stack([self._kept[text] for text in texts]) for texts in asked]
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return answers
