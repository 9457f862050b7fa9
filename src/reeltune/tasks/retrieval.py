"""A split through a model: vectors, scores, report."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from reeltune.batches.loader import ClipReader, stack
from reeltune.errors import DataError
from reeltune.evaluation.beside import NOTHING, Asked, Scored, with_asked
from reeltune.evaluation.protocols import ProtocolCard, V2tRule, split_hash
from reeltune.evaluation.retrieval import Report, retrieval_report
from reeltune.types import DualEncoder, Pair, Split, Tokens

CLIPS_AT_ONCE = 16
TEXTS_AT_ONCE = 256


@runtime_checkable
class Ranged(Protocol):
    """A model whose scores are normalised by the ranges that its parts have on held-out pairs."""

    def set_ranges(self, text: Tensor, video: Tensor) -> None: ...


Both = tuple[Tensor, Tensor]  # vectors of texts (Q, D) and of videos (N, D)


@runtime_checkable
class AsReleased(Protocol):
    """A model whose release was measured in a way of its own, where `released_batch` is a number.

    So many items are encoded at once, in their order, since vectors depend on their batch, and
    `hybrid_scores` normalises scores by the lowest and highest of all its texts and videos, or of
    all that `by` holds.
    """

    released_batch: int | None

    def hybrid_scores(self, text: Tensor, video: Tensor, by: Both | None = None) -> Tensor: ...


OWN_RANGES = "similarity, each part by its range in this matrix"  # of a card: as a release has it


@dataclass(frozen=True)
class Named:
    """What a report says of its data, of how they are judged and of how the model was trained."""

    dataset: str
    split: str
    seed: int | None = None
    v2t: V2tRule = "grouped"
    asked_hash: str = ""  # of the split as its dataset gave it
    differs: tuple[str, ...] = ()  # what of the data is not as the benchmark has it


def evaluate(
    model: DualEncoder,
    reader: ClipReader,
    split: Split,
    named: Named,
    settle: bool = False,
    asked: Asked = NOTHING,
) -> Report:
    """Retrieval figures of a model on a split, each clip read as `reader` reads it.

    `settle` lets a model that normalises its scores learn their ranges here; for validation.
    """
    gallery, clips = gallery_of(split.pairs)
    text = encode_texts(model, [pair.caption for pair in split.pairs])
    video = encode_clips(model, reader, clips)
    if settle and isinstance(model, Ranged):
        model.set_ranges(text, video)
    both = text, video
    scores = similarity(model, text, video)
    card = card_of(model, reader, split, gallery, named)
    report = retrieval_report(scores, split.pairs, gallery, card)
    scored = Scored(
        scores,
        of_texts=lambda texts: similarity(model, encode_texts(model, texts), video, both),
        of_clips=lambda clips: similarity(model, text, encode_clips(model, reader, clips), both),
    )
    return with_asked(report, asked, scored, split.pairs, gallery)


def card_of(
    model: DualEncoder, reader: ClipReader, split: Split, gallery: Sequence[str], named: Named
) -> ProtocolCard:
    """How figures of these data are obtained."""
    return ProtocolCard(
        dataset=named.dataset,
        split=named.split,
        split_hash=split_hash(split.pairs, gallery),
        asked_hash=named.asked_hash,
        differs=named.differs,
        captions=split.captions,
        frames=reader.policy,
        model=model.name,
        fingerprint=model.fingerprint,
        seed=named.seed,
        queries=len(split.pairs),
        gallery=len(gallery),
        v2t=named.v2t,
        left_out={named.split: split.left_out} if split.left_out else {},
        scores=OWN_RANGES if _released_batch(model) else "similarity",
    )


def gallery_of(pairs: Sequence[Pair]) -> tuple[list[str], list[Pair]]:
    """Ids of the videos and one pair of each, in the order in which they first appear."""
    first: dict[str, Pair] = {}
    for pair in pairs:
        if pair != first.setdefault(pair.video, pair) and _clip(pair) != _clip(first[pair.video]):
            raise DataError(
                f"video {pair.video!r} stands for two different clips; give each span its own id"
            )
    return list(first), list(first.values())


@torch.inference_mode()
def encode_texts(model: DualEncoder, texts: Sequence[str]) -> Float[Tensor, "Q D"]:
    """Vectors of texts on the CPU; equal texts are encoded once."""
    if size := _released_batch(model):
        parts = [texts[start : start + size] for start in range(0, len(texts), size)]
        return torch.cat([model.encode_text(model.tokenize(some)).float().cpu() for some in parts])
    rows: dict[str, Tensor] = {}
    for some in text_batches(texts, TEXTS_AT_ONCE):
        found = model.encode_text(model.tokenize(some)).float().cpu()
        rows.update(zip(some, found, strict=True))
    return torch.stack([rows[text] for text in texts])


@torch.inference_mode()
def encode_clips(
    model: DualEncoder, reader: ClipReader, clips: Sequence[Pair]
) -> Float[Tensor, "N D"]:
    """Vectors of clips on the CPU."""
    found = clip_batches(reader, clips, _released_batch(model) or CLIPS_AT_ONCE)
    return torch.cat([model.encode_video(frames, mask).float().cpu() for frames, mask in found])


def clip_batches(
    reader: ClipReader, clips: Sequence[Pair], size: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Frames and masks of `size` clips at once, in their order."""
    nothing = Tokens(torch.zeros(1, 1, dtype=torch.long), torch.ones(1, 1, dtype=torch.bool))
    for start in range(0, len(clips), size):
        frames = [reader.read(clip) for clip in clips[start : start + size]]
        batch = stack(frames, nothing, torch.zeros(len(frames), dtype=torch.long))
        yield batch.frames, batch.mask


def text_batches(texts: Sequence[str], size: int) -> Iterator[list[str]]:
    """The different texts, `size` at once, of like length so that a batch pads little."""
    different = sorted(set(texts), key=lambda text: (len(text), text))
    yield from (different[start : start + size] for start in range(0, len(different), size))


@torch.inference_mode()
def similarity(
    model: DualEncoder,
    text: Float[Tensor, "Q D"],
    video: Float[Tensor, "N D"],
    by: Both | None = None,
) -> Float[np.ndarray, "Q N"]:
    """Scores of texts and videos in float32; of a split all of them, or `by` which it is scored."""
    if isinstance(model, AsReleased) and model.released_batch:
        return model.hybrid_scores(text, video, by).float().numpy()
    return model.similarity(text, video).float().numpy()


def _released_batch(model: DualEncoder) -> int | None:
    return model.released_batch if isinstance(model, AsReleased) else None


def _clip(pair: Pair) -> tuple[Any, ...]:
    return pair.path, pair.start, pair.end
