"""Losses beside a contrastive one, against loops and at values that are known."""

import math

import pytest
import torch

from oracles.slow_auxiliary import (
    slow_distillation,
    slow_hardest_matching,
    slow_order,
    slow_swap,
)
from reeltune.objectives.distillation import distillation
from reeltune.objectives.frame_order import frame_order, halves, with_halves_swapped
from reeltune.objectives.hardest_matching import hardest_matching


@pytest.mark.parametrize("video", [[0, 1, 2, 3, 4], [0, 1, 0, 3, 1], [2, 2, 2, 2, 1]])
def test_hardest_matching_is_that_of_loops(video: list[int]) -> None:
    torch.manual_seed(0)
    logits = 3 * torch.randn(5, 5, dtype=torch.double)
    found = hardest_matching(logits, torch.tensor(video))
    assert float(found) == pytest.approx(slow_hardest_matching(logits.tolist(), video), rel=1e-12)


def test_a_batch_without_a_wrong_answer_costs_nothing_and_has_a_gradient() -> None:
    logits = torch.randn(3, 3, requires_grad=True)
    found = hardest_matching(logits, torch.tensor([7, 7, 7]))
    found.backward()
    assert found == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_of_two_equal_scores_the_choice_is_a_coin() -> None:
    assert hardest_matching(torch.zeros(2, 2)) == pytest.approx(math.log(2))


def test_distillation_is_that_of_loops_and_nothing_at_the_teachers_own_scores() -> None:
    torch.manual_seed(0)
    logits, taught = 2 * torch.randn(2, 4, 4, dtype=torch.double)
    found = float(distillation(logits, taught))
    assert found == pytest.approx(slow_distillation(logits.tolist(), taught.tolist()), rel=1e-12)
    assert found > 0
    assert distillation(taught, taught) == pytest.approx(0, abs=1e-12)
    assert distillation(taught + 5, taught) == pytest.approx(0, abs=1e-12), "scores may be shifted"


def test_only_real_frames_change_places_and_only_in_swapped_videos() -> None:
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 1, 0, 1, 1], [1, 0, 0, 0, 0]]).bool()
    frames = torch.arange(20).view(4, 5)[..., None].expand(-1, -1, 2)
    for swapped in ([True] * 4, [False] * 4, [True, False, True, True]):
        found = with_halves_swapped(frames, mask, torch.tensor(swapped))
        assert torch.equal(found[~mask], frames[~mask])
        for row, was in enumerate(swapped):
            real = frames[row, mask[row], 0].tolist()
            assert found[row, mask[row], 0].tolist() == slow_swap(real, was)


def test_halves_are_means_of_real_frames_and_the_odd_one_is_of_the_second() -> None:
    states = torch.tensor([[1.0, 2, 3, 9], [4, 6, 9, 9], [5, 9, 9, 9]])[..., None]
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]]).bool()
    assert halves(states, mask).tolist() == [[1, 2.5], [4, 6], [0, 5]]


def test_frame_order_counts_videos_that_have_an_order() -> None:
    logits, swapped, frames = [0.3, -2.0, 4.0], [True, False, False], [5, 2, 1]
    found = frame_order(torch.tensor(logits), torch.tensor(swapped), torch.tensor(frames))
    assert float(found) == pytest.approx(slow_order(logits, swapped, frames), rel=1e-6)
    assert frame_order(torch.tensor([4.0]), torch.tensor([False]), torch.tensor([1])) == 0
