"""The triplet loss against its definition, and what its switches mean."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from oracles.slow_dual_encoding import slow_triplet
from reeltune.objectives.triplet import triplet

GROUPS = st.lists(st.integers(0, 3), min_size=1, max_size=7)  # few videos, so many are shared


def scores(count: int, seed: int = 0) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    return 0.3 * torch.randn(count, count, generator=source, dtype=torch.float64)


@settings(max_examples=60)
@given(GROUPS, st.integers(0, 99), st.booleans(), st.sampled_from(["both", "t2v", "v2t"]))
def test_it_equals_its_definition(
    videos: list[int], seed: int, hardest: bool, direction: str
) -> None:
    matrix = scores(len(videos), seed)
    for group in (None, videos):
        got = triplet(
            matrix,
            margin=0.2,
            hardest=hardest,
            direction=direction,
            group=None if group is None else torch.tensor(group),
        )
        wanted = slow_triplet(matrix.tolist(), 0.2, hardest, direction, group)
        assert got.shape == ()
        assert got.item() == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("hardest", [True, False])
@pytest.mark.parametrize("direction", ["both", "t2v", "v2t"])
def test_the_sum_is_the_batch_times_the_mean(hardest: bool, direction: str) -> None:
    for count in (1, 2, 7):
        matrix = scores(count)
        both = [
            triplet(matrix, hardest=hardest, direction=direction, reduction=reduction)
            for reduction in ("sum", "mean")
        ]
        torch.testing.assert_close(both[0], count * both[1])


def test_a_case_by_hand() -> None:
    """Text 0 has a rival at 0.9 - 0.8, video 0 one at 0.7 - 0.8; the others are far."""
    matrix = torch.tensor([[0.8, 0.9], [0.7, 2.0]])
    assert triplet(matrix, direction="t2v").item() == pytest.approx(0.3)
    assert triplet(matrix, direction="v2t").item() == pytest.approx(0.1)
    assert triplet(matrix).item() == pytest.approx(0.4)


def test_two_captions_of_one_video_are_no_rivals_where_their_group_says_so() -> None:
    matrix = torch.ones(3, 3)  # all alike, so every rival costs the margin
    assert triplet(matrix).item() == pytest.approx(6 * 0.2)
    assert triplet(matrix, group=torch.tensor([5, 5, 5])).item() == 0
    two_and_one = triplet(matrix, group=torch.tensor([5, 5, 7]), hardest=False)
    assert two_and_one.item() == pytest.approx(8 * 0.2), "four rivals in each direction"


@settings(max_examples=20)
@given(st.permutations(range(5)), st.integers(0, 9))
def test_the_order_of_the_pairs_does_not_matter(order: list[int], seed: int) -> None:
    matrix = scores(5, seed)
    torch.testing.assert_close(triplet(matrix[order][:, order]), triplet(matrix))
    torch.testing.assert_close(triplet(matrix.T), triplet(matrix))


def test_gradients_pull_true_pairs_up_and_only_the_hardest_negative_down() -> None:
    matrix = torch.tensor([[0.5, 0.6, 0.55], [0.0, 0.9, 0.0], [0.0, 0.0, 0.9]]).requires_grad_()
    triplet(matrix, direction="t2v").backward()
    assert matrix.grad is not None
    assert matrix.grad.tolist() == [[-1, 1, 0], [0, 0, 0], [0, 0, 0]]
