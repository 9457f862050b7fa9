"""Vectors of words by the packaged sentence encoder, whatever the model of a library is."""

import threading
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from reeltune.models._lite.sentence_encoder import AT_ONCE, WIDTH, SentenceEncoder
from reeltune.models._lite.weights import SENTENCE_WEIGHTS, TOKENIZER
from reeltune.models.opening.packaged import packaged


class Sentences:
    """The sentence encoder, which is opened at the first text; threads take turns."""

    width = WIDTH

    def __init__(self) -> None:
        self._net: SentenceEncoder | None = None
        self._lock = threading.Lock()

    def require(self) -> None:
        """Raise CheckpointError, with the pip command that mends it, where its package is missing
        or is not the one that figures were measured with."""
        for weights in (SENTENCE_WEIGHTS, TOKENIZER):
            packaged(*weights)

    def ranks(self, words: Sequence[str]) -> list[int]:
        """How common words are in English, from 20, the commonest, to 40,000; raises
        CheckpointError as `require`."""
        with self._lock:
            self._net = self._net or SentenceEncoder()
            return self._net.ranks(words)

    def vectors(self, texts: Sequence[str]) -> Float[np.ndarray, "N 384"]:
        """Vectors of N texts, float32 of length 1; raises CheckpointError as `require`.

        Equal texts are encoded once, and texts of like length together, so that few are padded.
        """
        distinct = sorted(dict.fromkeys(texts), key=len)
        found = np.empty((len(distinct), WIDTH), np.float32)
        for at in range(0, len(distinct), AT_ONCE):
            with self._lock:
                net = self._net = self._net or SentenceEncoder()
                tokens = net.tokenize(distinct[at : at + AT_ONCE])
                found[at : at + AT_ONCE] = net(tokens.ids, tokens.mask).numpy()
        places = {text: place for place, text in enumerate(distinct)}
        return found[[places[text] for text in texts]]
