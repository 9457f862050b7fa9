"""Gradual pruning: the paper's formula, exact counts on the way, and masks that Adam respects."""

import pytest
import torch
from small_model import Small, ids, small
from torch import Tensor
from torch.nn import functional as F

from reeltune.compress.gradual import Cubic, GradualPruning, KeptZeros
from reeltune.compress.prune import prunable, prune
from reeltune.errors import ConfigError


def zeros(masks: dict[str, Tensor]) -> int:
    return sum(int((~mask).sum()) for mask in masks.values())


def steps_of_adam(model: Small, optimizer: torch.optim.Optimizer, count: int) -> None:
    target = torch.randn(4, 7, generator=torch.Generator().manual_seed(3))
    for _ in range(count):
        optimizer.zero_grad()
        F.mse_loss(model(ids()), target).backward()
        optimizer.step()


def test_the_schedule_is_equation_1() -> None:
    schedule = Cubic(initial=0.1, final=0.7, start=20, steps=200, every=40)
    for step, expected in [
        (0, 0.1),
        (20, 0.1),
        (70, 0.7 - 0.6 * 0.75**3),
        (120, 0.7 - 0.6 * 0.5**3),
        (220, 0.7),
        (999, 0.7),
    ]:
        assert schedule.amount(step) == pytest.approx(expected)
    assert [step for step in range(400) if schedule.is_due(step)] == [20, 60, 100, 140, 180, 220]
    uneven = Cubic(final=0.5, steps=10, every=4)
    assert [step for step in range(20) if uneven.is_due(step)] == [0, 4, 8, 10]


def test_zeros_grow_by_the_schedule_and_never_come_back() -> None:
    model = small()
    weights = prunable(model)
    count = sum(weight.numel() for weight in weights.values())
    schedule = Cubic(initial=0.2, final=0.6, steps=6, every=2)
    pruning = GradualPruning(weights, schedule)
    before = pruning.masks
    assert zeros(before) == round(0.2 * count)
    for step in range(1, 9):
        with torch.no_grad():  # what an optimiser might do: move every weight, zeros the most
            for weight in weights.values():
                weight.add_(torch.where(weight == 0, 5.0, 0.01))
        pruning.after_step(step)
        due = max(s for s in (0, 2, 4, 6) if s <= step)
        assert zeros(pruning.masks) == round(schedule.amount(due) * count)
        for name, mask in pruning.masks.items():
            assert not (mask & ~before[name]).any(), "a zero came back"
            assert (weights[name].detach()[~mask] == 0).all()
        before = pruning.masks


def test_masks_are_those_of_the_weights_at_that_step() -> None:
    weight = torch.tensor([4.0, -3.0, 2.0, -1.0], dtype=torch.float64)
    pruning = GradualPruning({"w": weight}, Cubic(final=0.5, steps=2, every=1))
    pruning.after_step(1)  # 0.5 - 0.5 / 8 = 0.4375 of 4: two go
    assert weight.tolist() == [4.0, -3.0, 0.0, 0.0]
    weight.copy_(torch.tensor([0.1, -3.0, 2.0, 9.0], dtype=torch.float64))
    pruning.after_step(2)
    assert weight.tolist() == [0.1, -3.0, 0.0, 0.0], "what is zero stays, however large it became"


def test_masks_to_begin_with_are_never_undone() -> None:
    weight = torch.tensor([0.0, 1.0, 2.0, 3.0])
    masks = {"w": torch.tensor([True, False, False, True])}
    pruning = GradualPruning({"w": weight}, Cubic(final=0.75, steps=8, every=1), masks)
    for step in range(1, 9):
        pruning.after_step(step)
        assert not pruning.masks["w"][1:3].any(), "the schedule asks for fewer at first"
        if step < 4:  # 0.75 - 0.75 (5/8)^3 of 4 is 2 yet: the live zero at 0 is no better
            assert pruning.masks["w"].tolist() == [True, False, False, True]
    assert weight.tolist() == [0.0, 0.0, 0.0, 3.0]
    assert pruning.masks["w"].tolist() == [False, False, False, True]


def test_adam_revives_zeros_and_masks_do_not_let_it() -> None:
    for is_kept in (False, True):
        model = small()
        model.train()
        weights = prunable(model)
        masks = prune(model, 0.0)
        optimizer = torch.optim.Adam(model.parameters(), 1e-2)
        steps_of_adam(model, optimizer, 3)  # moments that are not zero
        masks = prune(model, 0.5)
        handle = KeptZeros(weights, masks).follow(optimizer) if is_kept else None
        steps_of_adam(model, optimizer, 3)
        alive = sum(int((weights[n].detach()[~mask] != 0).sum()) for n, mask in masks.items())
        assert (alive == 0) if is_kept else alive > 0.9 * zeros(masks)
        if handle is not None:
            handle.remove()
            steps_of_adam(model, optimizer, 1)
            assert any((weights[n].detach()[~mask] != 0).any() for n, mask in masks.items())


def test_training_between_mends_what_pruning_broke() -> None:
    """Half of the weights in one stroke, against the same half with training on the way."""
    target = torch.randn(4, 7, generator=torch.Generator().manual_seed(3))
    model = small().train()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    steps_of_adam(model, optimizer, 60)
    at_once = small().train()
    at_once.load_state_dict(model.state_dict())
    prune(at_once, 0.5)
    pruning = GradualPruning(prunable(model), Cubic(final=0.5, steps=40, every=5))
    pruning.follow(optimizer)
    steps_of_adam(model, optimizer, 60)
    assert pruning.steps == 60
    assert zeros(pruning.masks) == round(0.5 * sum(m.numel() for m in pruning.masks.values()))
    losses = [F.mse_loss(m(ids()), target).item() for m in (model, at_once)]
    assert losses[0] < 0.2 * losses[1]


def test_a_schedule_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"initial=0\.5 to final=0\.2, and zeros never come back"):
        Cubic(initial=0.5, final=0.2, steps=3)
    with pytest.raises(ConfigError, match=r"amount is 1\.5"):
        Cubic(final=1.5, steps=3)
    for name in ("steps", "every"):
        with pytest.raises(ConfigError, match=rf"{name} is 0; give 1 or more"):
            Cubic(**{"final": 0.5, "steps": 3, name: 0})
    with pytest.raises(ConfigError, match=r"a mask for other, and no weight of that name"):
        KeptZeros({"w": torch.ones(2)}, {"other": torch.ones(2, dtype=torch.bool)})
