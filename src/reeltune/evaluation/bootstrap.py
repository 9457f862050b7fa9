"""Resample whole videos: captions of one video are not independent."""

import numpy as np
from jaxtyping import Float, Int

CUTS = (1, 5, 10)
FIGURES = (*(f"R@{k}" for k in CUTS), "SumR")
DRAWS = 2000
TOGETHER = 1 << 20  # drawn groups held in memory


def recalls_of(found: Int[np.ndarray, " Q"]) -> Float[np.ndarray, "Q 4"]:
    """What each query adds to `FIGURES`, in percent; their mean over queries is the figure."""
    recalled = 100.0 * (found[:, None] <= np.array(CUTS))  # (Q, 3)
    return np.column_stack([recalled, recalled.sum(axis=1)])


def sums_by_group(
    values: Float[np.ndarray, "Q M"], groups: Int[np.ndarray, " Q"]
) -> tuple[Float[np.ndarray, "G M"], Int[np.ndarray, " G"]]:
    """Sum of the values of each group, and how many queries the group has."""
    _, member = np.unique(groups, return_inverse=True)
    columns = [np.bincount(member, column) for column in values.T]
    return np.column_stack(columns), np.bincount(member)


def resampled_means(
    sums: Float[np.ndarray, "G M"],
    sizes: Int[np.ndarray, " G"],
    source: np.random.Generator,
    draws: int = DRAWS,
) -> Float[np.ndarray, "R M"]:
    """Means over queries when the groups are drawn anew, with replacement, `draws` times."""
    count = len(sizes)
    means = np.empty((draws, sums.shape[1]))
    step = max(1, TOGETHER // count)
    for start in range(0, draws, step):
        block = means[start : start + step]
        times = times_drawn(len(block), count, source)  # (b, G)
        block[:] = times @ sums / (times @ sizes)[:, None]
    return means


def times_drawn(
    draws: int, count: int, source: np.random.Generator
) -> Float[np.ndarray, "draws count"]:
    """How often each of `count` groups is among `count` drawn, one row a draw."""
    drawn = source.integers(0, count, (draws, count)) + count * np.arange(draws)[:, None]
    times = np.bincount(drawn.ravel(), minlength=draws * count)
    return times.reshape(draws, count).astype(float)


def bounds(means: Float[np.ndarray, "R M"]) -> list[tuple[float, float]]:
    """The middle 95 % of each column."""
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    return list(zip(low.tolist(), high.tolist(), strict=True))
