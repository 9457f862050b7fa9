"""Data that crosses between parts, and the protocols that join them.

Letters in shapes:
    B  items in a batch            Q  queries
    T  frames of one clip          N  items in the gallery
    F  width of a frame's feature
    L  tokens of one text          K  results asked for
    P  prompts, or patches         D  width of the shared space
    S  side of a square frame, in pixels
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from torch import Tensor

from reeltune.records import Channel as Channel
from reeltune.records import Hit as Hit
from reeltune.records import LeftOut as LeftOut
from reeltune.records import Moment as Moment
from reeltune.records import Phrase as Phrase
from reeltune.records import Pixels as Pixels
from reeltune.records import Quoted as Quoted
from reeltune.records import collect_left_out as collect_left_out


class Static(type(Protocol)):  # type: ignore[misc]  # mypy knows no class of protocols
    """The class of protocols whose `isinstance` looks whether members are there and computes none,
    as since Python 3.12: a fingerprint is a hash of all weights, and `pixels` may open a model."""

    def __instancecheck__(cls, instance: object) -> bool:
        if not getattr(cls, "_is_protocol", False):  # a class that is one by inheritance
            return bool(super().__instancecheck__(instance))
        return all(is_there(instance, name) for name in members(cls))


@cache
def members(protocol: type) -> frozenset[str]:
    """The names of what a protocol and those that it extends ask for, none of which is private."""
    named = ((*vars(one), *vars(one).get("__annotations__", ())) for one in protocol.__mro__)
    return frozenset(name for names in named for name in names if not name.startswith("_"))


def is_there(instance: object, name: str) -> bool:
    """Whether an object or its class has an attribute, which is not computed."""
    kinds = type(instance).__mro__
    return name in getattr(instance, "__dict__", ()) or any(name in vars(kind) for kind in kinds)


@dataclass(frozen=True)
class Tokens:
    """Texts as a model reads them; `mask` is true at real tokens.

    `known` and `cut` are there where texts were read just now, and None where tokens were put
    together in another way.
    """

    ids: Int[Tensor, "B L"]
    mask: Bool[Tensor, "B L"]
    known: Bool[Tensor, " B"] | None = None  # whether a text has a word that the model knows
    cut: Bool[Tensor, " B"] | None = None  # whether a text is longer than the model reads


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A video, or a span of one, and one caption of it; pairs of one video share its id.

    Where a model is asked about a video, the caption is the question, or what is said in it.
    """

    video: str
    path: Path
    caption: str
    start: float = 0.0  # s
    end: float | None = None  # s; None: to the end of the file
    tags: tuple[str, ...] = ()  # subsets that a report also gives alone, such as "temporal"
    options: tuple[str, ...] = ()  # the answers that a question offers, in their order
    answer: str | None = None  # the right one, also of an open question; or the class of the video
    rating: float | None = None  # the sentiment, -3 to 3


Target = Callable[[Pair], Shaped[np.ndarray, "..."]]  # what a loss wants of a pair beside its clip


class Caption(NamedTuple):
    """One caption and the id of the video that it describes."""

    video: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Split:
    """The pairs of one split, in the dataset's own order, and what was not as it should be."""

    pairs: tuple[Pair, ...]
    captions: Literal["single", "multiple", "paragraph"]  # how captions of a video are used
    left_out: tuple[LeftOut, ...] = ()  # what the folder lacks, and what no annotation names
    wrong: tuple[Pair, ...] = ()  # whose caption a person called wrong; no pairs, but of use beside

    @property
    def videos(self) -> int:
        """How many videos there are, each with one pair or more."""
        return len({pair.video for pair in self.pairs})


@dataclass(frozen=True)
class Batch:
    """Clips with one caption each, as a dual encoder reads them: pictures or stored features."""

    frames: UInt8[Tensor, "B T 3 S S"] | Float[Tensor, "B T F"]
    mask: Bool[Tensor, "B T"]  # true at real frames
    tokens: Tokens
    video: Int[Tensor, " B"]  # equal where two rows show the same video
    targets: Mapping[str, Tensor] = field(
        default_factory=dict
    )  # what else some losses want, by name


@runtime_checkable
class DualEncoder(Protocol, metaclass=Static):
    """A model that puts texts and videos in one space, each without seeing the other."""

    name: str  # what --model was given
    dim: int  # D
    pixels: Pixels
    fingerprint: str  # changes when weights or preprocessing change

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        """Tokens of B texts."""
        ...

    def encode_text(self, tokens: Tokens) -> Float[Tensor, "B D"]:
        """Vectors of B texts."""
        ...

    def encode_video(
        self, frames: UInt8[Tensor, "B T 3 S S"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B D"]:
        """Vectors of B clips; `mask` is True where there is a frame."""
        ...

    def similarity(
        self, text: Float[Tensor, "Q D"], video: Float[Tensor, "N D"]
    ) -> Float[Tensor, "Q N"]:
        """Scores of Q texts against N videos; more is more alike."""
        ...


@runtime_checkable
class FrameEncoder(DualEncoder, Protocol):
    """A dual encoder that reads frames alone: `encode_video` is `pool_frames` of `encode_frames`.

    Frames shared by overlapping moments are then encoded once.
    """

    def encode_frames(self, frames: UInt8[Tensor, "B 3 S S"]) -> Float[Tensor, "B F"]:
        """Features of single frames."""
        ...

    def pool_frames(
        self, features: Float[Tensor, "B T F"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B D"]:
        """Vectors of clips from features of their frames; `mask` is True where there is one."""
        ...


@runtime_checkable
class Rescored(DualEncoder, Protocol):
    """A dual encoder whose `similarity` is more than an inner product.

    The first `indexed` columns of a vector have unit length, and their cosine finds candidates;
    `similarity`, of whole vectors in any precision, then puts these in order.
    """

    indexed: int  # `dim` where the inner product is all there is


@runtime_checkable
class Matryoshka(DualEncoder, Protocol):
    """A dual encoder whose vectors were trained to be cut: the first numbers of each, brought to
    unit length again, are a vector themselves (Kusupati et al., 2205.13147)."""

    widths: tuple[int, ...]  # that there are, the whole one first

    def cut(self, width: int) -> None:
        """Make vectors of one of `widths` from now on, which `dim` and `fingerprint` then say."""
        ...


@runtime_checkable
class Contrasted(Protocol):
    """A dual encoder with a temperature, all of whose losses are functions of its vectors.

    `vector_losses` has the losses of `losses`, under the same names, of vectors that are there
    already: rows of one `group` show the same video. A model with a further loss of vectors adds
    it there; one with any other further loss has no `vector_losses`, or sets it to None.
    """

    if TYPE_CHECKING:  # a parameter: since Python 3.12 isinstance does not see those of nn.Module

        @property
        def logit_scale(self) -> Tensor: ...

    def encode_text(self, tokens: Tokens) -> Tensor:
        """Vectors (B, D) of texts."""
        ...

    def encode_video(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Vectors (B, D) of clips (B, T, ...); `mask` (B, T) is True where there is a frame."""
        ...

    def similarity(self, text: Tensor, video: Tensor) -> Tensor:
        """Scores (Q, N) of texts against videos."""
        ...

    def vector_losses(self, text: Tensor, video: Tensor, group: Tensor) -> dict[str, Tensor]:
        """Losses by name of vectors (B, D); pairs of one video have the same number in `group`
        (B,)."""
        ...

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Losses by name of a batch, those of its vectors among them."""
        ...
