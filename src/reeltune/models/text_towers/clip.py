"""The text towers of CLIP, MetaCLIP 2, SigLIP and SigLIP 2."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, Float32
from pydantic import BaseModel, ConfigDict, PositiveInt
from tokenizers import Tokenizer

from reeltune.models.text_towers.layers import (
    ACTIVATIONS,
    attention,
    ends_of,
    layer_norm,
    linear,
    unit,
)
from reeltune.models.text_towers.weights import Stored


def _cleaned(text: str) -> str:
    from reeltune.models._clean_text import cleaned  # late, as few models need ftfy

    return cleaned(text)


Cleaning = Literal["clip", "lower", "none"]
CLEANING: dict[Cleaning, Callable[[str], str]] = {  # before a text is split into tokens
    "clip": _cleaned,
    "lower": str.lower,
    "none": str,
}
TOKENS = "text_model.embeddings.token_embedding.weight"


class Facts(BaseModel):
    """What a text tower of this kind is opened by."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["clip"] = "clip"
    weights: Path  # a safetensors file
    layers: PositiveInt
    heads: PositiveInt
    eps: float
    activation: str  # by its name in transformers
    cleaning: Cleaning
    causal: bool  # whether a token sees only those before
    end: int | None  # the token whose vector is the text's; None: the last
    projection: Literal["text_projection", "text_model.head"]

    @property
    def files(self) -> list[Path]:
        """All files of the model's folder that may shape a vector."""
        kinds = (".json", ".txt", ".model", ".yaml", ".safetensors")
        return sorted(one for one in self.weights.parent.iterdir() if one.suffix in kinds)

    def opened(self, words: str) -> "ClipText":
        """The tower, with the tokenizer whose JSON is `words`; raises KeyError or ValueError for
        weights that are not as in these families, and what safetensors does for a file that it
        cannot read."""
        return ClipText(self, Tokenizer.from_str(words))


class ClipText:
    """Vectors of texts; see `models/clip.py`."""

    def __init__(self, facts: Facts, tokenizer: Tokenizer) -> None:
        self.facts, self._tokenizer = facts, tokenizer
        self._activation = ACTIVATIONS[facts.activation]
        self._stored = Stored(facts.weights)
        self._weights = {
            **self._stored.all("text_model.encoder."),
            **self._stored.all("text_model.final_layer_norm."),
            **self._stored.all(f"{facts.projection}."),
        }
        self._positions = self._stored.one("text_model.embeddings.position_embedding.weight")

    def read(self, texts: Sequence[str]) -> Float32[np.ndarray, "N D"]:
        """Vectors of N texts, 1 or more, of length 1."""
        cleaned = CLEANING[self.facts.cleaning]
        ids = [self._tokenizer.encode(cleaned(text)).ids for text in texts]
        ends = ends_of(ids)
        places = np.concatenate([self._positions[: len(one)] for one in ids])
        x = self._stored.rows(TOKENS, [*chain(*ids)]) + places  # (L, W)
        for number in range(self.facts.layers):
            x = self._layer(x, f"text_model.encoder.layers.{number}", ends)
        at = [begin + self._end(one) for begin, one in zip([0, *ends], ids, strict=True)]
        last = layer_norm(x[at], self._weights, "text_model.final_layer_norm", self.facts.eps)
        made = linear(last, self._weights, self.facts.projection)
        return np.stack([unit(one) for one in made])

    def _end(self, ids: list[int]) -> int:
        """The number of the token whose vector is that of its text."""
        return len(ids) - 1 if self.facts.end is None else ids.index(self.facts.end)

    def _layer(
        self, x: Float[np.ndarray, "L W"], name: str, ends: Sequence[int]
    ) -> Float[np.ndarray, "L W"]:
        norm = partial(layer_norm, of=self._weights, eps=self.facts.eps)
        to = partial(linear, of=self._weights)
        y = norm(x, name=f"{name}.layer_norm1")
        query, key, value = (to(y, name=f"{name}.self_attn.{part}_proj") for part in "qkv")
        mixed = attention(query, key, value, self.facts.heads, self.facts.causal, ends)
        x = x + to(mixed, name=f"{name}.self_attn.out_proj")
        y = norm(x, name=f"{name}.layer_norm2")
        return x + to(self._activation(to(y, name=f"{name}.mlp.fc1")), name=f"{name}.mlp.fc2")
