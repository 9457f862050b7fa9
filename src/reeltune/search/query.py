"""One query against a gallery: score, filter, fold, and say how sure the answer is."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from reeltune.search._confidence import GOOD, picture_confidence, text_confidence
from reeltune.search._fold import answers
from reeltune.search._gallery import Gallery
from reeltune.types import Hit

__all__ = ["GOOD", "Ask", "answer", "videos"]

FIRST_LOOK = 256  # moments compared in detail, at least; more if they fold into too few
BEST_OF = 2  # moments of a video whose mean score is the video's


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What is wanted of a search."""

    k: int = 10
    where: str | None = None  # a filter, see `where`
    fold: bool = True  # overlapping windows and near-duplicates count as one


def answer(
    gallery: Gallery,
    query: Float[np.ndarray, " D"],
    ask: Ask = Ask(),
    kind: Literal["text", "video"] = "text",
) -> list[Hit]:
    """The best moments for a unit vector, best first.

    Each has the calibrated confidence that it matches; below `GOOD` nothing matches well.
    """
    count = max(FIRST_LOOK, 16 * ask.k)
    while True:
        found = gallery.best(query, count, ask.where)
        folded = answers(found, ask.k, ask.fold)
        shown = len({found.video[row] for row in folded.rows})
        if found.is_all or shown == ask.k:
            break
        count *= 8
    rows = sorted(folded.rows)
    sure = (text_confidence if kind == "text" else picture_confidence)(found, gallery.count)
    similar = dict(zip(folded.rows, folded.similar, strict=True))
    return [
        Hit(
            path=found.path[row],
            start=float(found.start[row]),
            end=float(found.end[row]),
            score=float(found.score[row]),
            confidence=float(sure[row]),
            duration=float(found.duration[row]),
            similar=similar[row],
            id=found.id[row],
        )
        for row in rows
    ]


def videos(gallery: Gallery, query: Float[np.ndarray, " D"]) -> list[tuple[str, float]]:
    """Every video with a score from its best moments, best first: the mean of the best two.

    The second moment steadies the first, whose maximum over many moments favours long videos.
    """
    found = gallery.best(query, gallery.count, None)
    scores: dict[str, list[float]] = {}
    for path, score in zip(found.path, found.score, strict=True):
        scores.setdefault(path, []).append(float(score))
    means = {path: float(np.mean(best[:BEST_OF])) for path, best in scores.items()}
    return sorted(means.items(), key=lambda item: (-item[1], item[0]))
