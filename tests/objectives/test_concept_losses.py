"""Cross-entropy of concepts against its definition."""

import math

import pytest
import torch

from reeltune.objectives.concepts import concepts


def test_it_equals_its_definition_and_the_sum_is_the_batch_times_the_mean() -> None:
    source = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 5, generator=source, dtype=torch.float64)
    targets = torch.rand(3, 5, generator=source, dtype=torch.float64)
    wanted = 0.0
    for logit, target in zip(logits.flatten().tolist(), targets.flatten().tolist(), strict=True):
        p = 1 / (1 + math.exp(-logit))
        wanted -= target * math.log(p) + (1 - target) * math.log(1 - p)
    assert concepts(logits, targets, "mean").item() == pytest.approx(wanted / 15)
    assert concepts(logits, targets).item() == pytest.approx(3 * wanted / 15)


def test_certain_and_wrong_costs_much_but_not_infinitely_much() -> None:
    logits = torch.tensor([[-200.0, 200.0]], requires_grad=True)
    loss = concepts(logits, torch.tensor([[1.0, 0.0]]))
    loss.backward()
    assert loss.item() == pytest.approx(200)
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
