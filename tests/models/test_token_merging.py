"""Token merging: matching against loops, and size-weighted attention against a closed form."""

import math
from itertools import product

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from reeltune.nn.token_merging import Matching, bias, match, merge, most, ones


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def slow_pairs(metric: Tensor, classes: int, count: int) -> dict[int, int]:
    """The merged places of one sequence (M, W), and the place into which each goes."""
    free = range(classes, len(metric))
    best = {}
    for source in (place for place in free if place % 2 == 0):
        cosines = {
            into: float(F.cosine_similarity(metric[source], metric[into], dim=0))
            for into in free
            if into % 2
        }
        into = max(cosines, key=lambda place: cosines[place])
        best[source] = (cosines[into], into)
    chosen = sorted(best, key=lambda place: -best[place][0])[:count]
    return {source: best[source][1] for source in chosen}


@pytest.mark.parametrize(("classes", "tokens"), [(1, 10), (1, 11), (2, 12), (3, 9), (4, 17)])
def test_matching_and_merging_equal_loops(classes: int, tokens: int) -> None:
    metric, vectors = noise(3, tokens, 5), noise(3, tokens, 4, seed=1)
    sizes = torch.randint(1, 6, (3, tokens), generator=torch.Generator().manual_seed(2)).double()
    for count in range(1, most(tokens, classes) + 1):
        left, size = merge(vectors, sizes, match(metric, classes, count))
        assert left.shape == (3, tokens - count, 4)
        for row in range(3):
            pairs = slow_pairs(metric[row], classes, count)
            places = [*range(classes)]
            places += [p for p in range(classes, tokens) if p % 2 == 0 and p not in pairs]
            places += [p for p in range(classes, tokens) if p % 2]
            for at, place in enumerate(places):
                members = [place, *(p for p, into in pairs.items() if into == place)]
                whole = sum(sizes[row, p] for p in members)
                mean = sum(sizes[row, p] * vectors[row, p] for p in members) / whole
                torch.testing.assert_close(left[row, at], mean)
                assert size[row, at] == whole
    assert most(tokens, classes) == (tokens - classes) // 2


def test_merging_keeps_the_weighted_sum_of_tokens() -> None:
    metric, vectors = noise(2, 9, 3), noise(2, 9, 6, seed=1)
    sizes = ones(vectors)
    for count in (4, 2, 1):
        before = (vectors * sizes[..., None]).sum(dim=1)
        vectors, sizes = merge(vectors, sizes, match(metric[:, : vectors.shape[1]], 1, count))
        torch.testing.assert_close((vectors * sizes[..., None]).sum(dim=1), before)
        assert (sizes.sum(dim=1) == 9).all()


def test_of_pairs_that_are_equally_alike_the_first_are_merged() -> None:
    metric = torch.ones(1, 8, 3)
    found = match(metric, 0, 2)
    assert (found.merged.tolist(), found.into.tolist()) == ([[0, 1]], [[0, 0]])
    assert found.kept.tolist() == [[2, 3]]


@pytest.mark.parametrize("heads", [1, 2])
def test_attention_to_merged_duplicates_is_attention_to_them_all(heads: int) -> None:
    """Softmax over n equal keys is n times that over one, whose logit has log n more."""
    counts, width = torch.tensor([1, 3, 1, 2, 4]), 4
    query, key, value = (noise(1, heads, 5, width, seed=seed) for seed in range(3))
    often = torch.arange(5).repeat_interleave(counts)
    plain = F.scaled_dot_product_attention(query, key[:, :, often], value[:, :, often])
    added = bias(counts[None].double(), torch.float64)
    torch.testing.assert_close(F.scaled_dot_product_attention(query, key, value, added), plain)
    for head, row in product(range(heads), range(5)):
        weights = [
            float(counts[at]) * math.exp(float(query[0, head, row] @ key[0, head, at]) / 2)
            for at in range(5)
        ]
        mean = sum(w * value[0, head, at] for at, w in enumerate(weights)) / sum(weights)
        torch.testing.assert_close(plain[0, head, row], mean)


def test_gradients_of_merging_are_those_of_finite_differences() -> None:
    metric = noise(2, 7, 3)
    matching: Matching = match(metric, 1, 2)
    sizes = torch.tensor([[1.0, 2, 1, 1, 3, 1, 1]] * 2, dtype=torch.float64)
    vectors = noise(2, 7, 4, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda some: merge(some, sizes, matching)[0], vectors)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_two_runs_are_equal_bit_for_bit_and_keep_the_type(dtype: torch.dtype) -> None:
    vectors = noise(4, 21, 8).to(dtype)
    runs = [merge(vectors, ones(vectors), match(vectors, 1, 7)) for _ in range(2)]
    assert runs[0][0].dtype == dtype
    assert torch.equal(runs[0][0], runs[1][0])
    assert torch.equal(runs[0][1], runs[1][1])
