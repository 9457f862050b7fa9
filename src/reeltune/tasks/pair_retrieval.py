"""Retrieval by a model that sees a text and a video at once: every pair is scored."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from reeltune.batches.in_order import clip_batches, gallery_of, text_batches
from reeltune.batches.loader import ClipReader, Text
from reeltune.evaluation.beside import NOTHING, Asked, Scored, with_asked
from reeltune.evaluation.protocols import Named
from reeltune.evaluation.retrieval import Report, report_beside, retrieval_report
from reeltune.registry import find
from reeltune.tasks.finding.task import Task
from reeltune.tasks.retrieval import FINER, MAIN, card_of, evaluate, higher
from reeltune.types import DualEncoder, Pair, Split, Tokens

TEXTS_AT_ONCE, CLIPS_AT_ONCE = 128, 64
FEW = 2  # captions of a video in a quick evaluation: pairs are many


@runtime_checkable
class PairScorer(Protocol):
    """A model that scores pairs; it may be a `DualEncoder` too.

    `align` gives (Q, N) for what `read_text` and `read_video` made of Q texts and N videos.
    """

    name: str
    fingerprint: str

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        """Tokens of B texts."""
        ...

    def read_text(self, tokens: Tokens) -> Any:
        """Texts as `align` wants them, B in a batch."""
        ...

    def read_video(self, frames: Tensor, mask: Tensor) -> Any:
        """Clips as `align` wants them, B in a batch."""
        ...

    def align(self, text: Any, video: Any) -> Tensor:
        """Scores of pairs, of which each is read by both together."""
        ...


def evaluate_pairs(
    model: PairScorer,
    reader: ClipReader,
    split: Split,
    named: Named,
    quick: bool = False,
    asked: Asked = NOTHING,
) -> Report:
    """Retrieval figures by scores of all pairs; what vectors alone give stands beside, of a model
    that has them.

    `quick`, for validation, takes the first captions of each video and gives nothing beside.
    """
    pairs = _first_captions(split.pairs) if quick else split.pairs
    split = replace(split, pairs=pairs)
    gallery, clips = gallery_of(pairs)
    texts = [pair.caption for pair in pairs]
    scores = pair_scores(model, reader, texts, clips)
    card = replace(card_of(model, reader, split, gallery, named), scores="pairs")
    report = retrieval_report(scores, pairs, gallery, card)
    if quick:
        return report
    if isinstance(model, DualEncoder):
        report = report_beside(report, {"similarity": evaluate(model, reader, split, named)})
    scored = Scored(
        scores,
        of_texts=lambda others: pair_scores(model, reader, others, clips),
        of_clips=lambda others: pair_scores(model, reader, texts, others),
    )
    return with_asked(report, asked, scored, pairs, gallery)


@torch.inference_mode()
def pair_scores(
    model: PairScorer, reader: ClipReader, texts: Sequence[str], clips: Sequence[Pair]
) -> Float[np.ndarray, "Q N"]:
    """Scores of all texts with all clips; keeps all encoded clips, and one batch of texts, in
    memory."""
    videos = [model.read_video(*batch) for batch in clip_batches(reader, clips, CLIPS_AT_ONCE)]
    rows: dict[str, Tensor] = {}
    for some in text_batches(texts, TEXTS_AT_ONCE):
        read = model.read_text(model.tokenize(some))
        found = torch.cat([model.align(read, video).float().cpu() for video in videos], dim=1)
        rows.update(zip(some, found, strict=True))
    return torch.stack([rows[text] for text in texts]).numpy()


def _first_captions(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    seen: Counter[str] = Counter()
    kept = []
    for pair in pairs:
        seen[pair.video] += 1
        if seen[pair.video] <= FEW:
            kept.append(pair)
    return tuple(kept)


def judge(
    model: PairScorer,
    reader: ClipReader,
    split: Split,
    named: Named,
    *,
    texts: Mapping[str, Text],
    quick: bool,
    asked: Asked,
) -> Report:
    """Judge as `evaluate_pairs` does."""
    return evaluate_pairs(model, reader, split, named, quick, asked)


def tiny() -> PairScorer:
    """A UniVL with random weights, judged by its cross encoder."""
    model: PairScorer = find("models", "univl").Config.tiny().build()
    return model


TASK = Task(
    report=Report,
    wants=("tokenize", "read_text", "read_video", "align"),
    judge=judge,
    main=MAIN,
    higher=higher,
    chosen_by="t2v SumR",
    finer=FINER,
    tiny=tiny,
    has_scores=True,
)
