"""Ranks and what is read off them: recall at K, median and mean rank."""

import numpy as np
from jaxtyping import Bool, Float, Int

from reeltune.errors import DataError


def ranks(scores: Float[np.ndarray, "Q N"], target: Int[np.ndarray, " Q"]) -> Int[np.ndarray, " Q"]:
    """Rank of each query's one target in the gallery, 1 is best.

    Ties count against the model, so an encoder that maps everything to one point gets rank N
    and not rank 1. Raises DataError if a score is not finite.
    """
    _require_finite(scores)
    own = np.take_along_axis(scores, target[:, None], axis=1)  # (Q, 1)
    return (scores >= own).sum(axis=1)


def ranks_of_any(
    scores: Float[np.ndarray, "Q N"], relevant: Bool[np.ndarray, "Q N"]
) -> Int[np.ndarray, " Q"]:
    """Rank of the best of several right answers, as for a video with several captions.

    Other right answers do not count as competitors; ties with wrong ones count against the
    model. Raises DataError for a query without a right answer.
    """
    _require_finite(scores)
    if not relevant.any(axis=1).all():
        empty = int(np.flatnonzero(~relevant.any(axis=1))[0])
        raise DataError(f"query {empty} has no right answer in the gallery; leave it out")
    best = np.where(relevant, scores, -np.inf).max(axis=1, keepdims=True)  # (Q, 1)
    return 1 + ((scores >= best) & ~relevant).sum(axis=1)


def recall_at(found: Int[np.ndarray, " Q"], k: int) -> float:
    """Share of the queries, 0 to 1, whose rank is at most `k`."""
    return float(np.mean(found <= k))


def summary(found: Int[np.ndarray, " Q"]) -> dict[str, float]:
    """R@1, R@5, R@10 in percent, their sum, median rank and mean rank."""
    recalls = {f"R@{k}": 100 * recall_at(found, k) for k in (1, 5, 10)}
    return {
        **recalls,
        "SumR": sum(recalls.values()),
        "MdR": float(np.median(found)),
        "MnR": float(np.mean(found)),
    }


def interval(
    found: Int[np.ndarray, " Q"],
    k: int,
    groups: Int[np.ndarray, " Q"],
    source: np.random.Generator,
    draws: int = 2000,
) -> tuple[float, float]:
    """95 % bootstrap interval of R@K in percent, drawing whole groups.

    Captions of one video are not independent, so `groups` (their video) are drawn, not captions.
    """
    _, member = np.unique(groups, return_inverse=True)
    hits = np.bincount(member, found <= k)
    sizes = np.bincount(member)
    drawn = source.integers(0, len(sizes), (draws, len(sizes)))
    recalls = 100 * hits[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(recalls, [0.025, 0.975])
    return float(low), float(high)


def _require_finite(scores: Float[np.ndarray, "Q N"]) -> None:
    if not np.isfinite(scores).all():
        wrong = int((~np.isfinite(scores)).sum())
        raise DataError(
            f"{wrong} of {scores.size} scores are not finite; look for frames or texts "
            f"whose vectors are nan"
        )
