"""Answers one query from a gallery: scores, filters, folds, and says how sure the answer is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from reeltune.errors import ConfigError, LibraryError
from reeltune.search._confidence import GOOD, Kind, confidence
from reeltune.search._fold import choose
from reeltune.search._rescore import Score
from reeltune.search.store.gallery import Gallery, not_finite
from reeltune.types import Hit

FIRST_LOOK, PER_ANSWER = 256, 16  # moments compared in detail at first, in all and per answer
WIDER = 8  # times as many, when they fold into too few
BEST_OF = 2  # moments of a video whose mean score is the video's


@dataclass(frozen=True, kw_only=True)
class Ask:
    """The wishes of a search."""

    k: int = 10
    where: str | None = None  # a filter, see `where`
    per_video: int | None = None  # most moments of one video; None: videos first, then moments
    fold: bool = True  # overlapping windows and near-duplicates count as one

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ConfigError(f"k is {self.k}; ask for at least 1 answer")
        if self.per_video is not None and self.per_video < 1:
            raise ConfigError(
                f"per_video is {self.per_video}; allow at least 1, or leave it out for no limit"
            )


def answer(
    gallery: Gallery,
    query: Float[np.ndarray, " D"],
    ask: Ask = Ask(),
    kind: Literal["text", "video"] = "text",
    own: Score | None = None,
) -> list[Hit]:
    """The best moments for a unit vector, best first.

    Each has the calibrated confidence that it matches; below `GOOD` it does not match well. The
    answer is the same as if all moments were walked through in order, but only a few hundred
    usually are. `similar` counts other videos among those.

    `own`, a score of whole vectors, puts those few hundred in order in place of the cosine, which
    found them: a moment whose cosine is not among the best is missed, whatever its own score. No
    confidence is known of such scores.

    Raises ConfigError for a filter that is wrong, and LibraryError for vectors that cannot be
    compared.
    """
    ranking = gallery.rank(query, ask.where)
    count, every_video = max(FIRST_LOOK, PER_ANSWER * ask.k), False
    while True:
        found = ranking.best(count, every_video)
        if own is not None:
            found = found.ordered_by(_finite(own(found.whole), gallery))
        chosen = choose(found, ask.k, ask.per_video, ask.fold)
        if chosen.settled or count >= ranking.limit:
            break
        if ask.per_video is None and not every_video:
            every_video = True
        else:
            count *= WIDER
    scores = found.score[chosen.rows]
    sure: list[float | None] = [None] * len(scores)
    if own is None:
        fitted: Kind = "text" if kind == "text" else "picture"
        sure = confidence(scores, ranking.size, gallery.usual, fitted).tolist()
    return [
        Hit(
            path=found.path[row],
            location=found.location[row],
            start=float(found.start[row]),
            end=float(found.end[row]),
            score=float(score),
            confidence=chance,
            duration=float(found.duration[row]),
            similar=similar,
            caption=found.caption[row],
            id=found.id[row],
        )
        for row, similar, score, chance in zip(
            chosen.rows, chosen.similar, scores, sure, strict=True
        )
    ]


def may_match(hits: Sequence[Hit]) -> bool:
    """Whether the confidence is high enough, or not known."""
    return any(hit.confidence is None or hit.confidence >= GOOD for hit in hits)


def _finite(scores: Float[np.ndarray, " M"], gallery: Gallery) -> Float[np.ndarray, " M"]:
    if not np.isfinite(scores).all():
        raise LibraryError(not_finite(gallery.uri))
    return scores


def videos(gallery: Gallery, query: Float[np.ndarray, " D"]) -> list[tuple[str, float]]:
    """Every video with a score from its best moments, best first: the mean of the best two.

    The second moment steadies the first, whose maximum over many moments favours long videos.
    Beyond what fits in memory, only the videos of the best few thousand moments are listed.
    """
    ranking = gallery.rank(query)
    found = ranking.best(ranking.limit)
    order = np.argsort(found.video, kind="stable")  # within a video still best first
    codes = found.video[order]
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    place = np.arange(len(codes)) - np.repeat(starts, np.diff(starts, append=len(codes)))
    best = place < BEST_OF
    counts = np.bincount(codes[best])
    means = np.bincount(codes[best], found.score[order][best]) / np.maximum(counts, 1)
    scored = [(found.path[order[at]], float(means[codes[at]])) for at in starts]
    return sorted(scored, key=lambda pair: (-pair[1], pair[0]))
