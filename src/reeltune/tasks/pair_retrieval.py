"""Retrieval by a model that sees a text and a video at once: every pair is scored."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from reeltune.batches.in_order import clip_batches, gallery_of, text_batches
from reeltune.batches.loader import ClipReader, Text
from reeltune.evaluation.beside import NOTHING, Asked, Scored, with_asked
from reeltune.evaluation.protocols import Named
from reeltune.evaluation.rerank import Chooser, Rerank, best, reranked
from reeltune.evaluation.retrieval import Report, report_beside, retrieval_report
from reeltune.registry import find
from reeltune.tasks._candidates import CLIPS_AT_ONCE, TEXTS_AT_ONCE, candidate_scores
from reeltune.tasks.finding.task import Task
from reeltune.tasks.retrieval import FINER, MAIN, Pinned, card_of, higher, vector_scores
from reeltune.types import DualEncoder, Pair, Split, Tokens

FEW = 2  # captions of a video in a quick evaluation: pairs are many


@runtime_checkable
class PairScorer(Protocol):
    """A model that scores pairs; it may be a `DualEncoder` too.

    `align` gives (Q, N) for what `read_text` and `read_video` made of Q texts and N videos. What
    these give is a tensor with a row an item, or a tuple or dataclass of such, so that rows may be
    chosen.
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
    that has them, and what is asked for: figures in which only candidates are scored by pairs,
    the others below them in the order of vectors, or these alone.

    `quick`, for validation, takes the first captions of each video and gives nothing beside.
    """
    pairs = _first_captions(split.pairs) if quick else split.pairs
    gallery, clips = gallery_of(pairs)
    data = _Data(reader, replace(split, pairs=pairs), named, gallery, clips)
    if quick:
        return data.report(model, pair_scores(model, reader, data.texts, clips), "pairs")
    near = data.near(model, asked.rerank)
    found = _alone(model, data, near, asked.rerank) or _all_pairs(model, data, near, asked.rerank)
    scored = Scored(
        found.scores,
        of_texts=lambda others: pair_scores(model, reader, others, clips),
        of_clips=lambda others: pair_scores(model, reader, data.texts, others),
    )
    return with_asked(found.report, asked, scored, pairs, gallery)


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


@dataclass(frozen=True)
class _Data:
    """What is measured."""

    reader: ClipReader
    split: Split
    named: Named
    gallery: list[str]
    clips: list[Pair]

    @property
    def texts(self) -> list[str]:
        return [pair.caption for pair in self.split.pairs]

    def report(
        self,
        model: Pinned,
        scores: Float[np.ndarray, "Q N"],
        made: str | None = None,
        reader: ClipReader | None = None,
    ) -> Report:
        """Figures of a model by its scores, which are `made` so."""
        card = card_of(model, reader or self.reader, self.split, self.gallery, self.named)
        card = card if made is None else replace(card, scores=made)
        return retrieval_report(scores, self.split.pairs, self.gallery, card)

    def near(self, model: PairScorer, rerank: Rerank | None) -> dict[str, "_Scores"]:
        """Scores of vectors by how they are called, last those that choose candidates."""
        choosers: dict[str, Chooser] = {}
        if isinstance(model, DualEncoder):
            choosers["similarity"] = Chooser(model, self.reader)
        if rerank is not None:
            chooser = rerank.by_vectors(model, self.reader)
            of = "" if rerank.chooser is None else f" of {chooser.model.name}"
            choosers[f"similarity{of}"] = chooser
        found = {}
        for name, one in choosers.items():
            scores = vector_scores(one.model, one.reader, self.texts, self.clips)
            report = self.report(one.model, scores, reader=one.reader)
            found[name] = _Scores(scores, report)
        return found


@dataclass(frozen=True)
class _Scores:
    """Scores, and their figures."""

    scores: Float[np.ndarray, "Q N"]
    report: Report


def _all_pairs(
    model: PairScorer, data: _Data, near: Mapping[str, _Scores], rerank: Rerank | None
) -> _Scores:
    """Figures of all pairs, others beside; candidates have the scores that are there already."""
    scores = pair_scores(model, data.reader, data.texts, data.clips)
    others = {name: one.report for name, one in near.items()}
    if rerank is not None:
        name, chosen = _candidates(near, rerank)
        found = np.take_along_axis(scores, chosen, axis=1)
        others[f"top {rerank.top} of {name}"] = _again(model, data, near, rerank, found).report
    return _Scores(scores, report_beside(data.report(model, scores, "pairs"), others))


def _alone(
    model: PairScorer, data: _Data, near: Mapping[str, _Scores], rerank: Rerank | None
) -> _Scores | None:
    """Figures in which no pair but the candidates' is scored, where these are asked for."""
    if rerank is None or not rerank.alone:
        return None
    _, chosen = _candidates(near, rerank)
    found = candidate_scores(model, data.reader, data.texts, data.clips, chosen)
    again = _again(model, data, near, rerank, found)
    others = {name: one.report for name, one in near.items()}
    return _Scores(again.scores, report_beside(again.report, others))


def _again(
    model: PairScorer,
    data: _Data,
    near: Mapping[str, _Scores],
    rerank: Rerank,
    found: Float[np.ndarray, "Q K"],
) -> _Scores:
    """Candidates by the scores `found` of their pairs; a margin between the two kinds of scores
    would say nothing."""
    name, chosen = _candidates(near, rerank)
    scores = reranked(near[name].scores, chosen, found)
    mark = f" ({near[name].report.protocol.fingerprint})" if rerank.chooser else ""
    made = f"pairs, top {rerank.top} of {name}{mark}"
    return _Scores(scores, replace(data.report(model, scores, made), margin=None))


def _candidates(near: Mapping[str, _Scores], rerank: Rerank) -> tuple[str, Int[np.ndarray, "Q K"]]:
    """How the scores that choose are called, and the columns that they choose."""
    name = list(near)[-1]
    return name, best(near[name].scores, rerank.top)


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
    does="finds videos",
    report=Report,
    wants=("tokenize", "read_text", "read_video", "align"),
    judge=judge,
    main=MAIN,
    higher=higher,
    chosen_by="t2v SumR",
    finer=FINER,
    tiny=tiny,
    has_scores=True,
    scores_pairs=True,
)
