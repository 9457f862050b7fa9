"""Scores of the hybrid space: whole matrices as published, and single queries that rank alike."""

import numpy as np
import pytest
import torch
from small_dual_encoding import small
from torch import Tensor
from torch.nn import functional as F

from oracles.slow_dual_encoding import slow_hybrid
from reeltune.errors import CheckpointError, DataError
from reeltune.models._dual_encoding._hybrid import ROWS, hybrid_scores

pytestmark = pytest.mark.usefixtures("one_thread")
LATENT = 10  # columns of the small model


def vectors(count: int, seed: int = 0) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    latent = F.normalize(torch.randn(count, LATENT, generator=source), dim=1)
    return torch.cat([latent, torch.rand(count, 5, generator=source)], dim=1)


@pytest.mark.parametrize("normalisation", ["range", "max"])
@pytest.mark.parametrize("texts", [3, ROWS + 1])
@pytest.mark.parametrize("alpha", [0.0, 0.2, 0.6, 1.0])
def test_matrices_are_those_of_the_released_rule(
    normalisation: str, texts: int, alpha: float
) -> None:
    text, video = vectors(texts), vectors(7, seed=1)
    wanted = slow_hybrid(
        text.double().numpy(), video.double().numpy(), LATENT, alpha, normalisation
    )
    got = hybrid_scores(text, video, LATENT, alpha, normalisation)
    np.testing.assert_allclose(got.numpy(), wanted, atol=2e-6)


@pytest.mark.parametrize("normalisation", ["range", "max"])
def test_single_queries_rank_as_the_whole_matrix_does(normalisation: str) -> None:
    """Its scores lack what the whole matrix subtracts everywhere, and nothing else."""
    model = small(alpha=0.3, normalisation=normalisation)
    text, video = vectors(40), vectors(30, seed=1)
    model.set_ranges(text, video)
    whole = model.hybrid_scores(text, video)
    for query in range(len(text)):
        alone = model.similarity(text[query : query + 1], video)
        offset = alone - whole[query]
        torch.testing.assert_close(offset, offset.mean().expand_as(offset), atol=3e-6, rtol=0)
    first = (model.similarity(text, video) - whole).flatten()
    assert first.max() - first.min() < 6e-6, "the same for all queries, so video to text too"


def test_scores_without_a_graph_are_those_with_one() -> None:
    model = small()
    text, video = vectors(ROWS + 3), vectors(9, seed=1)
    model.set_ranges(text, video)
    with torch.inference_mode():
        quick = model.similarity(text, video)
    torch.testing.assert_close(quick, model.similarity(text, video))
    assert model.similarity(text.requires_grad_(), video).requires_grad


@pytest.mark.parametrize("normalisation", ["range", "max"])
def test_scores_may_be_normalised_by_a_larger_matrix(normalisation: str) -> None:
    model = small(normalisation=normalisation)
    text, video = vectors(5), vectors(4, seed=1)
    whole = model.hybrid_scores(text, video)
    some = model.hybrid_scores(text[1:3], video[2:], (text, video))
    torch.testing.assert_close(some, whole[1:3, 2:])


def test_each_part_is_weighed_by_alpha_over_its_range() -> None:
    text, video = vectors(2), vectors(3, seed=1)
    parts = []
    for alpha in (1.0, 0.0, 0.25):
        model = small(alpha=alpha)
        model.divisors.copy_(torch.tensor([0.5, 0.2]))
        parts.append(model.similarity(text, video))
    cosine, concept, both = parts
    torch.testing.assert_close(cosine, text[:, :LATENT] @ video[:, :LATENT].T / 0.5)
    torch.testing.assert_close(both, 0.25 * cosine + 0.75 * concept)


def test_a_model_without_ranges_refuses_to_weigh_its_parts() -> None:
    with pytest.raises(CheckpointError, match=r"has no ranges of its scores.*convert dual"):
        small().similarity(vectors(2), vectors(3, seed=1))


def test_the_latent_model_scores_cosines_and_needs_no_ranges() -> None:
    model = small(concepts=0)
    text, video = vectors(3)[:, :LATENT], vectors(4, seed=1)[:, :LATENT]
    assert model.dim == model.indexed == LATENT
    model.set_ranges(text, video)
    assert model.divisors.tolist() == [1, 1]
    for scores in (model.similarity(text, video), model.hybrid_scores(text, video)):
        torch.testing.assert_close(scores, text @ video.T)


def test_scores_that_cannot_be_normalised_are_told_and_their_size_is_the_range() -> None:
    """Such as those of a single pair, by which a run may still be validated."""
    one = vectors(1)
    with pytest.raises(DataError, match=r"cannot be normalised by their range; give more"):
        small().hybrid_scores(one, one)
    against = torch.cat([-one[:, :LATENT], one[:, LATENT:]], dim=1)
    with pytest.raises(DataError, match=r"cannot be normalised by their max"):
        small(normalisation="max").hybrid_scores(one, against)
    for model, video in ((small(), one), (small(normalisation="max"), against)):
        model.set_ranges(2 * one, video)
        assert float(model.divisors[0]) == pytest.approx(2)
