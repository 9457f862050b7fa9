"""The text side of `lite` and `lite-zero`: a sentence, and beside it what the head makes of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float32
from pydantic import BaseModel, ConfigDict

from reeltune.models.text_towers.layers import gelu, linear, unit
from reeltune.models.text_towers.minilm import minilm
from reeltune.models.text_towers.weights import Stored

SPREAD = 8.0  # length to which the head brings a sentence, as in `models/_lite/head.py`


class Facts(BaseModel):
    """What a text tower of this kind is opened by."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["lite"] = "lite"
    head: Path | None = None  # its safetensors file; None: there is no head, as in `lite-zero`
    conse: float = 0.0  # weight of the sentence beside the head's vector

    @property
    def files(self) -> list[Path]:
        """The files that shape a vector, but for those of pinned packages."""
        return [] if self.head is None else [self.head]

    def opened(self, words: str) -> "LiteText":
        """The tower, which has the tokenizer of its sentences and needs no `words`."""
        return LiteText(self)


class LiteText:
    """Vectors of texts; see `models/lite.py`."""

    def __init__(self, facts: Facts) -> None:
        self.facts, self._sentences = facts, minilm()
        self._head = None if facts.head is None else Stored(facts.head).all("text_")

    def read(self, texts: Sequence[str]) -> Float32[np.ndarray, "N D"]:
        """Vectors of N texts, of length 1."""
        sentences = self._sentences.read(texts)
        if self._head is None:
            return sentences
        x = np.float32(SPREAD) * sentences  # (N, 384)
        hidden = gelu(linear(x, self._head, "text_in"))
        made = linear(x, self._head, "text_skip") + linear(hidden, self._head, "text_out")
        weight = self.facts.conse / (1 + self.facts.conse)
        heads = np.stack([unit(one) for one in made])
        both = [(1 - weight) ** 0.5 * heads, weight**0.5 * sentences]
        return np.concatenate(both, axis=1).astype(np.float32)
