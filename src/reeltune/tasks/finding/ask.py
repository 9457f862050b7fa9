"""Answers of a model to what a person asks about clips."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from reeltune.batches.loader import ClipReader
from reeltune.tasks._asking import answered
from reeltune.tasks.finding.asking import Asking
from reeltune.types import Pair


@dataclass(frozen=True)
class Answer:
    """An answer that a model could give."""

    answer: str
    score: float  # of the model's head
    share: float  # of all answers of the model, by the softmax of their scores; not calibrated


@dataclass(frozen=True)
class Reply:
    """What a model says about one clip."""

    answers: tuple[Answer, ...]  # best first; of equal scores the first of the list comes first
    rating: float | None  # of a model that rates


def replies(model: Any, asking: Asking, reader: ClipReader, pairs: Sequence[Pair]) -> list[Reply]:
    """The reply to each pair, in their order."""
    return [
        _reply(scores, asking.answers(model, pair) if asking.answers else None)
        for scores, pair in zip(answered(model, reader, pairs, asking.scores), pairs, strict=True)
    ]


def _reply(scores: Float[Tensor, "..."], answers: Sequence[str] | None) -> Reply:
    if answers is None:
        return Reply((), float(scores))
    shares = scores.double().softmax(dim=0).tolist()
    each = map(Answer, answers, scores.tolist(), shares)
    return Reply(tuple(sorted(each, key=lambda answer: -answer.score)), None)
