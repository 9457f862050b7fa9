"""Ranks and what is read off them: recall at K, median and mean rank, average precision."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int

from reeltune.errors import DataError
from reeltune.evaluation.bootstrap import DRAWS, bounds, resampled_means, sums_by_group

CHUNK = 1 << 22  # scores looked at together, so that masks of a large matrix stay small


def ranks(
    scores: Float[np.ndarray, "Q N"], target: Int[np.ndarray, " Q"], near: float = 0.0
) -> Int[np.ndarray, " Q"]:
    """Rank of each query's one target in the gallery, 1 is best.

    Ties count against the model, so an encoder that maps everything to one point gets rank N
    and not rank 1; scores that are lower by no more than `near` are ties as well. Raises DataError
    if a score is not finite.
    """
    _require_finite(scores)
    own = np.take_along_axis(scores, target[:, None], axis=1) - scores.dtype.type(near)  # (Q, 1)
    found = np.empty(len(scores), np.int64)
    for rows in chunks(len(scores), scores.shape[1]):
        found[rows] = (scores[rows] >= own[rows]).sum(axis=1)
    return found


def ranks_of_any(
    scores: Float[np.ndarray, "Q N"], relevant: Bool[np.ndarray, "Q N"]
) -> Int[np.ndarray, " Q"]:
    """Rank of the best of several right answers, as for a video with several captions.

    Other right answers do not count as competitors; ties with wrong ones count against the
    model. Raises DataError for a query without a right answer.
    """
    _require_finite(scores)
    _require_answers(relevant)
    best = np.where(relevant, scores, -np.inf).max(axis=1, keepdims=True)  # (Q, 1)
    return 1 + ((scores >= best) & ~relevant).sum(axis=1)


def average_precision(
    scores: Float[np.ndarray, "Q N"], relevant: Bool[np.ndarray, "Q N"]
) -> Float[np.ndarray, " Q"]:
    """Mean of the precision at each right answer, 0 to 1; a tied wrong answer stands before it.

    With one right answer it is 1 / rank. Raises DataError for a query without a right answer.
    """
    _require_finite(scores)
    _require_answers(relevant)
    rows = zip(scores, relevant, strict=True)
    return np.array([_average_precision(row[right], row[~right]) for row, right in rows])


def _average_precision(right: Float[np.ndarray, " A"], wrong: Float[np.ndarray, " W"]) -> float:
    right = np.sort(right)[::-1]  # (A,) best first
    before = len(wrong) - np.searchsorted(np.sort(wrong), right, side="left")  # (A,)
    hits = np.arange(1, len(right) + 1)
    return float(np.mean(hits / (hits + before)))


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
    draws: int = DRAWS,
) -> tuple[float, float]:
    """95 % bootstrap interval of R@K in percent, drawing whole groups.

    Captions of one video are not independent, so `groups` (their video) are drawn, not captions.
    """
    sums, sizes = sums_by_group(100.0 * (found <= k)[:, None], groups)
    return bounds(resampled_means(sums, sizes, source, draws))[0]


def chunks(rows: int, width: int) -> Iterator[slice]:
    """Slices of the rows of a (rows, width) matrix, of about `CHUNK` elements each."""
    step = max(1, CHUNK // max(1, width))
    return (slice(start, start + step) for start in range(0, rows, step))


def _require_finite(scores: Float[np.ndarray, "Q N"]) -> None:
    wrong = sum(
        int((~np.isfinite(scores[rows])).sum()) for rows in chunks(len(scores), scores.shape[1])
    )
    if wrong:
        raise DataError(
            f"{wrong} of {scores.size} scores are not finite; look for frames or texts "
            f"whose vectors are nan"
        )


def _require_answers(relevant: Bool[np.ndarray, "Q N"]) -> None:
    answered = relevant.any(axis=1)
    if not answered.all():
        empty = int(np.flatnonzero(~answered)[0])
        raise DataError(f"query {empty} has no right answer in the gallery; leave it out")
