"""Mixup: what is laid over what, and the cross entropy of both labels."""

import pytest
import torch

from reeltune.objectives.mixup import Mixed, mix, mixup


def test_the_loss_is_the_cross_entropy_of_labels_mixed_as_the_pictures_are() -> None:
    scores = torch.randn(5, 4, dtype=torch.float64)
    label, other = torch.tensor([0, 1, 2, 3, 3]), torch.tensor([3, 1, 0, 0, 2])
    found = mixup(scores, Mixed(torch.zeros(5, 3, 2, 2), label, other, 0.3))
    wanted = 0.0
    for row in range(5):
        for k, log_share in enumerate(scores[row].log_softmax(0).tolist()):
            share = 0.3 * (k == int(label[row])) + 0.7 * (k == int(other[row]))
            wanted -= share * log_share / 5
    assert float(found) == pytest.approx(wanted, rel=1e-12)


def test_each_picture_is_laid_over_the_one_whose_label_it_gets() -> None:
    pictures = torch.arange(6.0).view(6, 1, 1, 1).expand(6, 3, 2, 2)
    mixed = mix(pictures, torch.arange(6), alpha=1.0)
    assert sorted(mixed.other.tolist()) == list(range(6))
    assert 0 < mixed.share < 1
    wanted = mixed.share * mixed.label + (1 - mixed.share) * mixed.other
    torch.testing.assert_close(mixed.pictures[:, 0, 0, 0], wanted)


def test_shares_have_the_spread_of_a_beta() -> None:
    """Beta(a, a) has the variance 1 / (8 a + 4)."""
    pictures, label = torch.zeros(1, 1, 1, 1), torch.zeros(1).long()
    for alpha in (0.2, 1.0, 4.0):
        shares = torch.tensor([mix(pictures, label, alpha).share for _ in range(2000)])
        assert float(shares.mean()) == pytest.approx(0.5, abs=0.04)
        assert float(shares.var()) == pytest.approx(1 / (8 * alpha + 4), rel=0.15)


def test_a_label_that_is_not_known_teaches_nothing() -> None:
    nothing = torch.full((3,), -1)
    found = mixup(torch.randn(3, 4), Mixed(torch.zeros(3, 1, 1, 1), nothing, nothing, 0.5))
    assert found == 0
