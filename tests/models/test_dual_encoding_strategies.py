"""Dual Encoding++'s strategies: what each of them changes, and which change nothing."""

from typing import Any

import pytest
import torch
from small_dual_encoding import batch, rows, small, tokens
from torch import Tensor, nn

from reeltune.models.dual_encoding import DualEncoding

pytestmark = pytest.mark.usefixtures("one_thread")
PADDED = "text.embedding.weight"


def gradients(model: DualEncoding) -> dict[str, Tensor]:
    """Gradients of the sum of all losses on one batch, in training."""
    torch.manual_seed(5)  # of dropout
    model.train().zero_grad()
    sum(model.losses(batch()).values()).backward()
    return {name: weight.grad.clone() for name, weight in model.named_parameters()}


def trained(steps: int = 4, **settings: Any) -> DualEncoding:
    """Trained as recipes train: Adam, gradients clipped at norm 2."""
    model = small(**settings)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(steps):
        gradients(model)
        nn.utils.clip_grad_norm_(model.parameters(), 2)
        optimizer.step()
    return model.eval()


@pytest.mark.parametrize("compat", [False, True])
def test_a_frozen_zero_row_of_the_padding_changes_no_gradient(compat: bool) -> None:
    """Bit for bit: the text's GRU is packed, so the row is never read."""
    free = gradients(small(pad="random", hs_compat=compat))
    frozen = gradients(small(pad="zero", hs_compat=compat))
    assert free.keys() == frozen.keys()
    for name, gradient in free.items():
        assert gradient.equal(frozen[name]), name
    assert free[PADDED][0].abs().max() == 0


def test_a_frozen_zero_row_of_the_padding_changes_no_training() -> None:
    free, frozen = trained(pad="random"), trained(pad="zero")
    own, its = free.state_dict(), frozen.state_dict()
    assert [name for name in own if not own[name].equal(its[name])] == [PADDED]
    assert own[PADDED][1:].equal(its[PADDED][1:])
    assert its[PADDED][0].abs().max() == 0
    with torch.inference_mode():
        assert free.encode_text(tokens(rows())).equal(frozen.encode_text(tokens(rows())))


def test_mean_losses_have_the_direction_of_summed_ones() -> None:
    """The gradient of the sum is the batch size times that of the mean, weight by weight."""
    summed, mean = gradients(small(reduction="sum")), gradients(small(reduction="mean"))
    for name, gradient in summed.items():
        torch.testing.assert_close(gradient, 4 * mean[name], rtol=1e-4, atol=1e-6)


def test_where_both_are_clipped_mean_and_sum_take_the_same_step() -> None:
    clipped = []
    for reduction in ("sum", "mean"):
        model = small(reduction=reduction)
        gradients(model)
        norm = nn.utils.clip_grad_norm_(model.parameters(), 0.01)
        assert norm > 0.01
        clipped.append([weight.grad for weight in model.parameters()])
    for one, other in zip(*clipped, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-8)


def test_alpha_and_its_normalisation_change_no_gradient() -> None:
    """They are of evaluation, and of what is chosen by it."""
    published = gradients(small(alpha=0.6, normalisation="range"))
    plus = gradients(small(alpha=0.2, normalisation="max"))
    assert all(gradient.equal(plus[name]) for name, gradient in published.items())


def test_alpha_by_max_is_another_alpha_by_range() -> None:
    """a by max ranks as a r / (a r + (1 - a) s) by range, r and s being 1 - lowest / highest."""
    from reeltune.models._dual_encoding._hybrid import hybrid_scores

    source = torch.Generator().manual_seed(0)
    latent = nn.functional.normalize(torch.randn(12, 10, generator=source), dim=1)
    vectors = torch.cat([latent, torch.rand(12, 5, generator=source)], dim=1)
    texts, videos = vectors[:7], vectors[7:]
    model = small()
    low = [part.low / part.high for part in model._hybrid.extremes(texts, videos)]
    share = 0.2 * (1 - low[0]) / (0.2 * (1 - low[0]) + 0.8 * (1 - low[1]))
    by_max = hybrid_scores(texts, videos, 10, 0.2, "max")
    by_range = hybrid_scores(texts, videos, 10, share, "range")
    assert abs(share - 0.2) > 0.01
    assert by_max.argsort(dim=1).equal(by_range.argsort(dim=1))
    torch.testing.assert_close(by_max / by_max.max(), by_range / by_range.max())
