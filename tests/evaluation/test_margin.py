"""The mean lead of right answers, against a slow obvious version."""

import numpy as np
import pytest

from reeltune.evaluation import metrics
from reeltune.evaluation._margin import mean_margin


def slow_margin(scores: np.ndarray, column: list[int]) -> float:
    leads = [
        scores[i, own] - max(s for j, s in enumerate(scores[i]) if j != own)
        for i, own in enumerate(column)
    ]
    back = []
    for video in sorted(set(column)):
        right = [scores[i, video] for i, own in enumerate(column) if own == video]
        wrong = [scores[i, video] for i, own in enumerate(column) if own != video]
        back.append(max(right) - max(wrong))
    return (sum(leads) / len(leads) + sum(back) / len(back)) / 2


@pytest.mark.parametrize("at_once", [1, 7, 1 << 22])
def test_the_margin_is_that_of_the_slow_version(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "CHUNK", at_once)
    source = np.random.default_rng(0)
    for column in ([0, 1, 2], [2, 0, 0, 1, 2, 2], [0, 0, 3, 4]):  # the last lacks two videos
        scores = source.normal(size=(len(column), 5)).astype(np.float32)
        got = mean_margin(scores, np.array(column))
        assert got == pytest.approx(slow_margin(scores, column), rel=1e-5)


def test_a_margin_grows_where_all_ranks_are_one_already() -> None:
    near, far = np.array([[0.6, 0.5], [0.1, 0.2]]), np.array([[0.9, 0.1], [0.1, 0.9]])
    both = [mean_margin(scores, np.arange(2)) for scores in (near, far)]
    assert both == pytest.approx([(0.1 + 0.1 + 0.5 - 0.3) / 4, 0.8])


def test_a_single_video_has_no_margin() -> None:
    assert mean_margin(np.ones((2, 1), np.float32), np.zeros(2, int)) is None
