"""all-MiniLM-L6-v2 in numpy; `models/_lite/sentence_encoder.py` is the same network in torch."""

from collections.abc import Sequence
from functools import cache, partial
from itertools import chain

import numpy as np
from jaxtyping import Float, Float32
from tokenizers import Tokenizer

from reeltune.models._lite.weights import SENTENCE_WEIGHTS, TOKENIZER
from reeltune.models.opening.packaged import packaged
from reeltune.models.text_towers.layers import (
    attention,
    ends_of,
    gelu,
    layer_norm,
    linear,
    unit,
)
from reeltune.models.text_towers.recent import Recent
from reeltune.models.text_towers.weights import Stored

WIDTH, LAYERS, HEADS, EPS = 384, 6, 12, 1e-12
LONGEST = 128  # tokens of a text that are read


class MiniLm:
    """Mean of the last layer's tokens, at unit length."""

    def __init__(self) -> None:
        """Raises CheckpointError where its package is missing or another."""
        self.tokenizer = Tokenizer.from_file(str(packaged(*TOKENIZER)))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(LONGEST)
        self._stored = Stored(packaged(*SENTENCE_WEIGHTS))
        self._weights = {
            **self._stored.all("encoder."),
            **self._stored.all("embeddings.LayerNorm."),
        }
        self._positions = self._stored.one("embeddings.position_embeddings.weight")
        self._kind = self._stored.rows("embeddings.token_type_embeddings.weight", [0])
        self._recent = Recent(self._vectors)

    def read(self, texts: Sequence[str]) -> Float32[np.ndarray, "N 384"]:
        """Vectors of N texts, 1 or more; any number of threads may ask.

        They are remembered, as a library of `lite` asks for a query twice: for what is seen, and
        for words that are said and shown.
        """
        return self._recent(texts)

    def _vectors(self, texts: Sequence[str]) -> Float32[np.ndarray, "N 384"]:
        ids = [self.tokenizer.encode(text).ids for text in texts]
        ends = ends_of(ids)
        words = self._stored.rows("embeddings.word_embeddings.weight", [*chain(*ids)])
        places = np.concatenate([self._positions[: len(one)] for one in ids])
        x = words + places + self._kind  # (L, 384)
        x = layer_norm(x, self._weights, "embeddings.LayerNorm", EPS)
        for number in range(LAYERS):
            x = self._layer(x, f"encoder.layer.{number}", ends)
        return np.stack([unit(one.sum(axis=0)) for one in np.split(x, ends)])

    def _layer(
        self, x: Float[np.ndarray, "L 384"], name: str, ends: Sequence[int]
    ) -> Float[np.ndarray, "L 384"]:
        of, to = self._weights, partial(linear, of=self._weights)
        parts = ("query", "key", "value")
        query, key, value = (to(x, name=f"{name}.attention.self.{part}") for part in parts)
        mixed = attention(query, key, value, HEADS, causal=False, ends=ends)
        mixed = to(mixed, name=f"{name}.attention.output.dense")
        x = layer_norm(x + mixed, of, f"{name}.attention.output.LayerNorm", EPS)
        hidden = gelu(to(x, name=f"{name}.intermediate.dense"))
        return layer_norm(
            x + to(hidden, name=f"{name}.output.dense"), of, f"{name}.output.LayerNorm", EPS
        )


@cache
def minilm() -> MiniLm:
    """The network, which is opened once; raises CheckpointError as it does."""
    return MiniLm()
