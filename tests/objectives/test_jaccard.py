"""Generalised Jaccard by L1 distances against minima and maxima."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from oracles.slow_dual_encoding import slow_jaccard
from reeltune.objectives.jaccard import AT_ONCE, jaccard


def probabilities(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=30)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 600), st.integers(0, 99))
def test_it_equals_minima_over_maxima(texts: int, videos: int, width: int, seed: int) -> None:
    text, video = (
        probabilities(texts, width, seed=seed),
        probabilities(videos, width, seed=seed + 1),
    )
    wanted = slow_jaccard(text.double().numpy(), video.double().numpy())
    got = jaccard(text, video)
    assert (got.double() - torch.from_numpy(wanted)).abs().max() < 1e-6
    assert (got >= 0).all()
    assert (got <= 1).all()


def test_it_is_symmetric_and_one_for_equals_alone() -> None:
    text = probabilities(6, 512)
    both = jaccard(text, text)
    torch.testing.assert_close(both, both.T)
    assert (both.diag() == 1).all()
    assert (both - torch.eye(6)).max() < 0.9


def test_vectors_of_zeros_have_nothing_in_common() -> None:
    zeros = torch.zeros(1, 4)
    assert jaccard(zeros, zeros).item() == 0
    assert jaccard(zeros, torch.ones(1, 4)).item() == 0


def test_many_rows_are_computed_in_parts() -> None:
    text, video = probabilities(65, 512), probabilities(2048, 512, seed=1)
    assert len(text) * video.numel() > AT_ONCE
    got = jaccard(text, video)
    assert got.shape == (65, 2048)
    for row in (0, 63, 64):
        torch.testing.assert_close(got[row : row + 1], jaccard(text[row : row + 1], video))


def test_its_gradient_is_that_of_minima_over_maxima() -> None:
    text = probabilities(4, 9).double().requires_grad_()
    video = probabilities(3, 9, seed=1).double().requires_grad_()
    assert torch.autograd.gradcheck(jaccard, (text, video))
    weight = probabilities(4, 3, seed=2).double()
    plain = torch.minimum(text[:, None], video).sum(-1) / torch.maximum(text[:, None], video).sum(
        -1
    )
    wanted = torch.autograd.grad((weight * plain).sum(), (text, video))
    got = torch.autograd.grad((weight * jaccard(text, video)).sum(), (text, video))
    for ours, theirs in zip(got, wanted, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_no_rows_give_no_scores(shape: tuple[int, int]) -> None:
    texts, videos = shape
    assert jaccard(torch.ones(texts, 4), torch.ones(videos, 4)).shape == shape
