"""Vectors of words by the packaged sentence encoder, whatever the model of a library is."""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from reeltune.models._lite.weights import SENTENCE_WEIGHTS, TOKENIZER
from reeltune.models.opening.packaged import packaged
from reeltune.models.text_towers.minilm import WIDTH, minilm

if TYPE_CHECKING:
    from reeltune.models._lite.sentence_encoder import SentenceEncoder

FEW = 32  # texts that are read in numpy, as those of queries are; many are faster in torch
FIRST_WORD, COMMONEST, RARE = 1995, 20, 40_000  # the number before "the"; ranks


class Sentences:
    """The sentence encoder, which is opened at the first text; any number of threads may ask."""

    width = WIDTH

    def __init__(self) -> None:
        self._net: SentenceEncoder | None = None  # where there were many texts
        self._lock = threading.Lock()

    def require(self) -> None:
        """Raise CheckpointError, with the pip command that mends it, where its package is missing
        or is not the one that figures were measured with."""
        for weights in (SENTENCE_WEIGHTS, TOKENIZER):
            packaged(*weights)

    def ranks(self, words: Sequence[str]) -> list[int]:
        """How common words are in English, from the commonest on, 20 for any of the first 20.

        The tokenizer's vocabulary has whole words in that order, after single letters; a word that
        it does not have is rare, 40,000. Raises CheckpointError as `require`.
        """
        with self._lock:
            numbers = [minilm().tokenizer.token_to_id(word) for word in words]
        return [RARE if n is None else max(n - FIRST_WORD, COMMONEST) for n in numbers]

    def vectors(self, texts: Sequence[str]) -> Float[np.ndarray, "N 384"]:
        """Vectors of N texts, float32 of length 1; raises CheckpointError as `require`.

        Equal texts are encoded once, and texts of like length together, so that few are padded.
        """
        distinct = sorted(dict.fromkeys(texts), key=len)
        if len(distinct) > FEW:
            found = self._many(distinct)
        else:
            found = minilm().read(distinct) if distinct else np.empty((0, WIDTH), np.float32)
        places = {text: place for place, text in enumerate(distinct)}
        return found[[places[text] for text in texts]]

    def _many(self, texts: Sequence[str]) -> Float[np.ndarray, "N 384"]:
        from reeltune.models._lite.sentence_encoder import AT_ONCE, SentenceEncoder

        found = np.empty((len(texts), WIDTH), np.float32)
        for at in range(0, len(texts), AT_ONCE):
            with self._lock:
                net = self._net = self._net or SentenceEncoder()
                tokens = net.tokenize(texts[at : at + AT_ONCE])
                found[at : at + AT_ONCE] = net(tokens.ids, tokens.mask).numpy()
        return found
