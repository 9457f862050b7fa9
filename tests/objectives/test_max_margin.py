"""The joint and the alignment loss of UniVL against loops over pairs."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reeltune.objectives.matching import matching
from reeltune.objectives.max_margin import max_margin

VIDEOS = st.lists(st.integers(0, 3), min_size=1, max_size=6)


def scores(count: int, seed: int = 0) -> torch.Tensor:
    source = torch.Generator().manual_seed(seed)
    return torch.randn(count, count, generator=source, dtype=torch.float64)


@settings(max_examples=40)
@given(VIDEOS, st.integers(0, 99))
def test_they_equal_loops_over_pairs(videos: list[int], seed: int) -> None:
    given_scores, count = scores(len(videos), seed), len(videos)
    s = given_scores.tolist()
    hinges, cost = 0.0, 0.0
    for i in range(count):
        candidates = [j for j in range(count) if j == i or videos[j] != videos[i]]
        cost += math.log(sum(math.exp(s[i][j]) for j in candidates)) - s[i][i]
        for j in candidates:
            hinges += max(0.0, 0.1 + s[i][j] - s[i][i]) + max(0.0, 0.1 + s[i][j] - s[j][j])
    video = torch.tensor(videos)
    assert max_margin(given_scores, video).item() == pytest.approx(hinges / count**2)
    assert matching(given_scores, video).item() == pytest.approx(cost / count, abs=1e-12)


def test_without_videos_every_other_row_is_a_negative() -> None:
    s = scores(5)
    apart = torch.arange(5)
    assert max_margin(s) == max_margin(s, apart)
    assert matching(s) == matching(s, apart)


def test_a_wide_lead_leaves_the_constant_of_the_diagonal() -> None:
    assert max_margin(9 * torch.eye(4).double()).item() == pytest.approx(2 * 0.1 / 4)
    assert max_margin(9 * torch.eye(4), margin=0.0) == 0


def test_matching_looks_from_texts_to_videos_alone() -> None:
    s = torch.tensor([[5.0, 0.0], [5.0, 0.0]])
    assert matching(s) != matching(s.T)
    assert matching(s.T).item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("loss", [max_margin, matching])
def test_gradients_are_those_of_finite_differences(loss: object) -> None:
    given_scores = scores(4).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: loss(s, torch.tensor([0, 1, 0, 2])), given_scores)  # type: ignore[operator]
