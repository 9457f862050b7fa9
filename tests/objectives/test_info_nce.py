"""InfoNCE against its definition, its symmetries and its gradient."""

import math
from random import Random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from oracles.slow_info_nce import slow_info_nce
from reeltune.objectives.info_nce import info_nce


def scores(count: int, seed: int = 0) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(count, count, generator=source, dtype=torch.float64)


BATCHES = st.lists(st.integers(0, 3), min_size=1, max_size=7)  # few videos, so many are shared


@settings(max_examples=40)
@given(BATCHES, st.integers(0, 99))
def test_it_equals_its_definition_with_and_without_shared_videos(
    videos: list[int], seed: int
) -> None:
    logits = scores(len(videos), seed)
    shared = info_nce(logits, torch.tensor(videos))
    assert shared.shape == ()
    assert shared.item() == pytest.approx(slow_info_nce(logits.tolist(), videos), abs=1e-12)
    every = info_nce(logits)
    assert every.item() == pytest.approx(slow_info_nce(logits.tolist()), abs=1e-12)
    assert shared <= every + 1e-12, "fewer candidates are easier"


@settings(max_examples=40)
@given(BATCHES, st.integers(0, 99), st.randoms(use_true_random=False))
def test_neither_direction_nor_order_nor_an_offset_matters(
    videos: list[int], seed: int, random: Random
) -> None:
    logits, video = scores(len(videos), seed), torch.tensor(videos)
    loss = info_nce(logits, video)
    order = list(range(len(videos)))
    random.shuffle(order)
    for same in (
        info_nce(logits.T, video),
        info_nce(logits[order][:, order], video[order]),
        info_nce(logits + 5, video),
        info_nce(logits, video + 100),
    ):
        torch.testing.assert_close(same, loss, atol=1e-12, rtol=0)


@pytest.mark.parametrize("video", [None, [0, 1, 2, 3, 4], [0, 1, 0, 2, 1], [7] * 5])
def test_its_gradient_is_that_of_finite_differences(video: list[int] | None) -> None:
    group = None if video is None else torch.tensor(video)
    logits = scores(5).requires_grad_()
    assert torch.autograd.gradcheck(lambda given: info_nce(given, group), logits)


def test_pairs_of_one_video_get_no_gradient_and_no_nan() -> None:
    logits = scores(4).requires_grad_()
    info_nce(logits, torch.tensor([0, 1, 0, 2])).backward()
    assert logits.grad.isfinite().all()
    assert logits.grad[0, 2] == logits.grad[2, 0] == 0
    assert (logits.grad != 0).sum() == 4 * 4 - 2


def test_one_pair_and_one_video_have_nothing_to_tell_apart() -> None:
    assert info_nce(torch.tensor([[3.0]])) == 0
    assert info_nce(scores(1), torch.tensor([4])) == 0
    assert info_nce(scores(5), torch.zeros(5, dtype=torch.long)) == 0


def test_equal_logits_cost_the_logarithm_of_their_number() -> None:
    assert info_nce(torch.zeros(8, 8)).item() == pytest.approx(math.log(8))
    groups = torch.arange(8) // 2  # every row has one other of its own video
    assert info_nce(torch.zeros(8, 8), groups).item() == pytest.approx(math.log(7))


def test_true_pairs_cost_less_than_shuffled_ones() -> None:
    logits = 5 * torch.eye(6)
    assert info_nce(logits) < info_nce(logits.roll(1, dims=0))


def test_logits_of_a_hundred_do_not_overflow() -> None:
    logits = 100 * (2 * torch.eye(4) - 1)
    assert info_nce(logits) == 0
    assert info_nce(-logits).item() == pytest.approx(200 + math.log(3))
