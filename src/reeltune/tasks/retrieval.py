"""Retrieval by a model that reads texts and videos apart: vectors, scores, report."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from reeltune.batches.in_order import clip_batches, gallery_of, text_batches
from reeltune.batches.loader import ClipReader, Text
from reeltune.evaluation.beside import NOTHING, Asked, Scored, with_asked
from reeltune.evaluation.equal_captions import shares_captions, without_equals
from reeltune.evaluation.protocols import Named, ProtocolCard, split_hash
from reeltune.evaluation.retrieval import Report, retrieval_report
from reeltune.registry import find
from reeltune.tasks.finding.task import Task
from reeltune.types import DualEncoder, Pair, Split

CLIPS_AT_ONCE = 16
TEXTS_AT_ONCE = 256


@runtime_checkable
class Ranged(Protocol):
    """A model whose scores are normalised by the ranges that its parts have on held-out pairs."""

    def set_ranges(self, text: Tensor, video: Tensor) -> None:
        """Learn the ranges from vectors of texts (Q, D) and of their videos (N, D)."""
        ...


Both = tuple[Tensor, Tensor]  # vectors of texts (Q, D) and of videos (N, D)


@runtime_checkable
class AsReleased(Protocol):
    """A model whose release was measured in a way of its own, where `released_batch` is a number.

    So many items are encoded at once, in their order, since vectors depend on their batch, and
    `hybrid_scores` normalises scores by the lowest and highest of all its texts and videos, or of
    all that `by` holds.
    """

    released_batch: int | None

    def hybrid_scores(self, text: Tensor, video: Tensor, by: Both | None = None) -> Tensor:
        """Scores (Q, N), normalised by the ranges of `by`, or of these texts and videos."""
        ...


ONE_EACH = "similarity; videos that have the very same caption do not compete"  # of a card
OWN_RANGES = "similarity, each part by its range in this matrix"  # of a card: as a release has it


def evaluate(
    model: DualEncoder,
    reader: ClipReader,
    split: Split,
    named: Named,
    settle: bool = False,
    asked: Asked = NOTHING,
    by_caption: bool = False,
) -> Report:
    """Retrieval figures of a model on a split, each clip read as `reader` reads it.

    `settle` lets a model that normalises its scores learn their ranges here; for validation. With
    `by_caption`, other videos that have the very same caption do not compete with the one that is
    looked for, and where there are any, the card says so.
    """
    gallery, clips = gallery_of(split.pairs)
    text = encode_texts(model, [pair.caption for pair in split.pairs])
    video = encode_clips(model, reader, clips)
    if settle and isinstance(model, Ranged):
        model.set_ranges(text, video)
    both = text, video
    scores = similarity(model, text, video)
    card = card_of(model, reader, split, gallery, named)
    if by_caption and shares_captions(split.pairs):
        scores = without_equals(scores, split.pairs, gallery)
        card = replace(card, scores=ONE_EACH)
    report = retrieval_report(scores, split.pairs, gallery, card)
    scored = Scored(
        scores,
        of_texts=lambda texts: similarity(model, encode_texts(model, texts), video, both),
        of_clips=lambda clips: similarity(model, text, encode_clips(model, reader, clips), both),
    )
    return with_asked(report, asked, scored, split.pairs, gallery)


@runtime_checkable
class Pinned(Protocol):
    """A model whose figures can be told apart from another's."""

    name: str
    fingerprint: str


def card_of(
    model: Pinned, reader: ClipReader, split: Split, gallery: Sequence[str], named: Named
) -> ProtocolCard:
    """The card that says how figures on these data are obtained."""
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


@torch.inference_mode()
def similarity(
    model: DualEncoder,
    text: Float[Tensor, "Q D"],
    video: Float[Tensor, "N D"],
    by: Both | None = None,
) -> Float[np.ndarray, "Q N"]:
    """Scores in float32 of all texts and videos of a split, or of others that are scored `by`
    all."""
    if isinstance(model, AsReleased) and model.released_batch:
        return model.hybrid_scores(text, video, by).float().numpy()
    return model.similarity(text, video).float().numpy()


def vector_scores(
    model: DualEncoder, reader: ClipReader, texts: Sequence[str], clips: Sequence[Pair]
) -> Float[np.ndarray, "Q N"]:
    """Scores of all texts with all clips, each of which is encoded apart."""
    return similarity(model, encode_texts(model, texts), encode_clips(model, reader, clips))


def _released_batch(model: object) -> int | None:
    return model.released_batch if isinstance(model, AsReleased) else None


def judge(
    model: DualEncoder,
    reader: ClipReader,
    split: Split,
    named: Named,
    *,
    texts: Mapping[str, Text],
    quick: bool,
    asked: Asked,
) -> Report:
    """Judge as `evaluate` does; a quick judgement settles the ranges of scores."""
    return evaluate(model, reader, split, named, quick, asked)


def higher(videos: int) -> dict[str, float | None]:
    """Sums and recalls; the margin where there is a wrong answer to be led.

    Of ranks, MdR and MnR, less is better.
    """
    each = {"R@1": 100.0, "R@5": 100.0, "R@10": 100.0, "SumR": 300.0, "mAP": 100.0}
    both = {f"{way} {name}": top for way in ("t2v", "v2t") for name, top in each.items()}
    return {"SumR": 600.0, **both, **({"margin": None} if videos > 1 else {})}


def tiny() -> DualEncoder:
    """A CLIP with random weights."""
    model: DualEncoder = find("models", "clip").Config.tiny().build()
    return model


FINER = "margin"  # the mean margin of right answers over the best wrong ones
MAIN = {
    **{name: name for name in ("t2v R@1", "t2v R@5", "t2v R@10")},
    "SumR": "SumR, both ways",
}
TASK = Task(
    does="finds videos",
    report=Report,
    wants=("tokenize", "encode_text", "encode_video", "similarity"),
    judge=judge,
    main=MAIN,
    higher=higher,
    chosen_by="SumR",
    finer=FINER,
    tiny=tiny,
    has_scores=True,
)
