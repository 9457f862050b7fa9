"""Ranks against counting by hand, with planted ties and several captions a video."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from reeltune.errors import DataError
from reeltune.evaluation.metrics import interval, ranks, ranks_of_any, recall_at, summary

# Small integers make ties common.
SCORES = arrays(np.float64, (4, 6), elements=st.integers(-2, 2).map(float))


@given(SCORES)
def test_ranks_equal_counting_who_is_not_beaten(scores: np.ndarray) -> None:
    target = np.array([0, 5, 2, 2])
    slow = [sum(other >= row[t] for other in row) for row, t in zip(scores, target, strict=True)]
    assert ranks(scores, target).tolist() == slow


@given(SCORES, st.permutations(range(6)))
def test_ranks_ignore_the_order_of_the_gallery_and_the_scale_of_scores(
    scores: np.ndarray, order: list[int]
) -> None:
    target = np.arange(4)
    moved = np.argsort(order)[target]
    assert (ranks(scores, target) == ranks(scores[:, order], moved)).all()
    assert (ranks(scores, target) == ranks(3 * scores - 7, target)).all()


@given(SCORES, arrays(np.bool_, (4, 6)))
def test_the_best_of_several_right_answers_counts(scores: np.ndarray, right: np.ndarray) -> None:
    right[:, 0] = True
    slow = []
    for row, good in zip(scores, right, strict=True):
        best = max(s for s, g in zip(row, good, strict=True) if g)
        slow.append(1 + sum(s >= best for s, g in zip(row, good, strict=True) if not g))
    assert ranks_of_any(scores, right).tolist() == slow


def test_an_encoder_that_maps_all_to_one_point_is_last() -> None:
    assert ranks(np.zeros((3, 50)), np.array([0, 1, 2])).tolist() == [50, 50, 50]


def test_the_summary_of_known_ranks() -> None:
    got = summary(np.array([1, 2, 7, 100]))
    assert got == {"R@1": 25, "R@5": 50, "R@10": 75, "SumR": 150, "MdR": 4.5, "MnR": 27.5}


def test_scores_that_are_not_finite_are_refused() -> None:
    with pytest.raises(DataError, match=r"2 of 4 scores are not finite; look for frames"):
        ranks(np.array([[0, np.nan], [np.inf, 0]]), np.array([0, 1]))
    with pytest.raises(DataError, match=r"query 1 has no right answer in the gallery"):
        ranks_of_any(np.zeros((2, 2)), np.array([[True, False], [False, False]]))


def test_the_interval_covers_the_recall_and_is_that_of_groups() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(400), 5)
    found = np.repeat(rng.integers(1, 4, 400), 5)  # captions of one video agree altogether
    low, high = interval(found, 1, groups, rng)
    centre = 100 * recall_at(found, 1)
    assert low < centre < high
    binomial = 1.96 * np.sqrt(centre * (100 - centre) / 400)
    np.testing.assert_allclose(high - low, 2 * binomial, rtol=0.15)


def test_videos_of_unlike_numbers_of_captions_weigh_by_their_captions() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), rng.integers(1, 9, 30))
    found = rng.integers(1, 4, len(groups))
    source, slow = np.random.default_rng(5), []
    for _ in range(200):
        drawn = [rank for group in source.integers(0, 30, 30) for rank in found[groups == group]]
        slow.append(100 * sum(rank <= 2 for rank in drawn) / len(drawn))
    got = interval(found, 2, groups, np.random.default_rng(5), draws=200)
    assert list(got) == pytest.approx(np.quantile(slow, [0.025, 0.975]).tolist())
