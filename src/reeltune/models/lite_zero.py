"""`lite-zero`: nothing is trained and nothing downloaded; a classifier's words are searched.

ConSE (Norouzi et al., 1312.5650): a frame's class probabilities weight the sentence vectors of
the class names, which puts pictures into the space of a sentence encoder.
"""

from collections.abc import Sequence
from pathlib import Path

from jaxtyping import Bool, Float, UInt8
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from reeltune.models._device import device_named
from reeltune.models._frames_there import require_frames
from reeltune.models._lite.conse import (
    PROMPT,
    TEMPERATURE,
    class_names,
    class_vectors,
    conse,
    probabilities,
)
from reeltune.models._lite.frame_network import AT_ONCE, CLASSES, PIXELS, FrameNetwork
from reeltune.models._lite.sentence_encoder import WIDTH, SentenceEncoder
from reeltune.models._lite.weights import FRAME_WEIGHTS, SENTENCE_WEIGHTS
from reeltune.models._rounded import with_rounded
from reeltune.models.exported.card import Part
from reeltune.models.exported.graphs import Graph, Graphs
from reeltune.models.opening.weights import fingerprint, write_card
from reeltune.models.text_towers import lite as text
from reeltune.records import Precision
from reeltune.types import Tokens


class Config(BaseModel):
    """There is nothing to set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def tiny(cls) -> "Config":
        """The usual settings; the model is small as it is."""
        return cls()

    def build(self) -> "LiteZero":
        """The model, ready to encode; it has nothing to train."""
        return LiteZero().eval()


class LiteZero(nn.Module):
    """A `FrameEncoder` whose frame features are class logits."""

    name = "lite-zero"
    dim = WIDTH
    pixels = PIXELS
    roundings: tuple[Precision, ...] = ("bfloat16",)  # int8 ruins convolutions

    def __init__(self) -> None:
        super().__init__()
        self.frames = FrameNetwork()
        self.sentences = SentenceEncoder()

    @property
    def fingerprint(self) -> str:
        facts = {
            "weights": [FRAME_WEIGHTS, SENTENCE_WEIGHTS],
            "pixels": repr(PIXELS),
            "classes": [PROMPT, TEMPERATURE, class_names()],
        }
        return fingerprint({}, facts)

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        return self.sentences.tokenize(texts)

    def encode_text(self, tokens: Tokens) -> Float[Tensor, "B D"]:
        return self.sentences(tokens.ids, tokens.mask)

    def text_tower(self) -> tuple[text.Facts, str]:
        """How texts are read without torch."""
        return text.Facts(), ""

    def encode_frames(self, frames: UInt8[Tensor, "B 3 S S"]) -> Float[Tensor, "B F"]:
        """Class logits."""
        return self.frames(frames)[:, -CLASSES:]

    def pool_frames(
        self, features: Float[Tensor, "B T F"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B D"]:
        require_frames(mask)
        return conse(features, mask.to(features.device), class_vectors().to(features))

    def encode_video(
        self, frames: UInt8[Tensor, "B T 3 S S"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B D"]:
        return self.pool_frames(
            self.encode_frames(frames.flatten(0, 1)).unflatten(0, mask.shape), mask
        )

    def similarity(
        self, text: Float[Tensor, "Q D"], video: Float[Tensor, "N D"]
    ) -> Float[Tensor, "Q N"]:
        """Cosines: both sides have unit length."""
        return text @ video.T

    def graphs(self) -> Graphs:
        """What `reeltune export` writes of it."""
        self.frames.load()
        self.sentences.load()
        vectors = class_vectors()

        def watch(frames: Tensor) -> Tensor:
            return probabilities(self.frames.few(frames)[:, -CLASSES:]) @ vectors

        return Graphs(
            text=Graph(self.sentences.few, self),
            frames=Graph(watch, self),
            parts=(Part(width=WIDTH, length=1.0),),
            words=self.sentences.tokenizer.to_str(),
            cleaning="none",
            frames_at_once=AT_ONCE,
        )

    def rounded(self, precision: Precision) -> "LiteZero":
        """A model whose later convolutions are in this precision, and which else is this one."""
        parts = [f"frames.{name}" for name in self.frames.roundable()]
        return with_rounded(self, parts, precision)

    def save_pretrained(self, folder: Path | str) -> None:
        """Write a folder that says which model this is; its weights come from packages."""
        write_card(Path(folder), "lite-zero", {})


def load(folder: Path | None, device: str | None = None, dtype: str | None = None) -> LiteZero:
    """The model on a device; a folder has nothing to add."""
    return LiteZero().to(device_named(device)).eval()
