"""Slopes along a direction and curvature: every way against every other and the slow one."""

import math
from typing import Any

import pytest
import torch
from small_problems import (
    TASKS,
    Backbone,
    Perceptron,
    Quadratics,
    ids,
    melter,
    points,
    problem,
    quadratic,
    weighted,
)
from torch import Tensor, nn

from oracles.slow_hypergradient import double_backward, flat, hessian
from reeltune.meltr.derivatives import (
    ahead,
    along,
    curvature,
    difference_step,
    gradient,
    second_slopes,
)
from reeltune.meltr.hypergradient import mixed_product
from reeltune.meltr.losses import Losses
from reeltune.meltr.vectors import dot

WAYS = ("jvp", "vjp", "difference")
CLOSE = {"jvp": 1e-11, "vjp": 1e-11, "difference": 1e-7}


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(3)


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    return dict(model.named_parameters())


def direction_of(model: nn.Module) -> dict[str, Tensor]:
    return {name: torch.randn_like(w) for name, w in model.named_parameters()}


@pytest.mark.parametrize("way", WAYS)
def test_slopes_are_inner_products_with_the_gradients(way: Any) -> None:
    model, batch = Perceptron().double(), points()
    direction = direction_of(model)
    values, changes = along(Losses(model, batch, TASKS), weights_of(model), direction, way)
    for place, loss in enumerate(model.losses(batch).values()):
        weights = list(model.parameters())
        found = torch.autograd.grad(loss, weights, materialize_grads=True, retain_graph=True)
        wanted = dot(dict(zip(direction, found, strict=True)), direction)
        torch.testing.assert_close(changes[place], wanted, rtol=CLOSE[way], atol=CLOSE[way])
        torch.testing.assert_close(values[place], loss.detach(), rtol=1e-8, atol=0.0)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("make", [melter, weighted])
def test_the_factorised_product_is_the_double_backward(make: Any, way: Any) -> None:
    model, batch, combiner = Perceptron().double(), points(), make()
    x = direction_of(model)
    values, changes = along(Losses(model, batch, TASKS), weights_of(model), x, way)
    got = mixed_product(combiner, values, changes)
    wanted = double_backward(model, batch, combiner, list(x.values()))
    scale = float(wanted.abs().max())
    torch.testing.assert_close(flat(got), wanted, rtol=0.0, atol=CLOSE[way] * scale)


@pytest.mark.parametrize("way", ["exact", "difference"])
@pytest.mark.parametrize("make", [melter, weighted])
def test_curvature_is_the_hessian_times_the_direction(make: Any, way: Any) -> None:
    """MELTR's own curvature is part of it: with `weighted` there is none."""
    model, batch, combiner = Perceptron().double(), points(), make()
    direction = direction_of(model)
    losses = Losses(model, batch, TASKS)
    got = flat(curvature(losses, weights_of(model), combiner, way)(direction))
    wanted = hessian(model, batch, combiner) @ flat(direction)
    close = {"exact": 1e-12, "difference": 1e-7}[way]
    torch.testing.assert_close(got, wanted, rtol=close, atol=close * float(wanted.abs().max()))


class Counted(Perceptron):
    """Counts its forward passes."""

    passes = 0

    def losses(self, batch: Any) -> dict[str, Tensor]:
        self.passes += 1
        return super().losses(batch)


def test_products_by_differences_share_the_gradient_at_the_weights() -> None:
    model = Counted().double()
    bent = curvature(Losses(model, points(), TASKS), weights_of(model), melter(), "difference")
    assert model.passes == 0, "a series without terms takes none"
    for product in range(1, 4):
        bent(direction_of(model))
        assert model.passes == 1 + product


@pytest.mark.parametrize(
    ("dtype", "sides", "wanted"),
    [
        (torch.float32, 1, 1.04e-3),
        (torch.float32, 2, 9.84e-3),
        (torch.float64, 1, 4.47e-8),
        (torch.float64, 2, 1.21e-5),
    ],
)
def test_a_difference_steps_by_a_length_whatever_the_direction_is(
    dtype: torch.dtype, sides: Any, wanted: float
) -> None:
    direction = {"a": torch.full((2, 2), 30.0, dtype=dtype), "b": torch.full((5,), 8.0).to(dtype)}
    length = (4 * 30.0**2 + 5 * 8.0**2) ** 0.5
    assert difference_step(direction, sides) * length == pytest.approx(wanted, rel=1e-2)
    nothing = {name: torch.zeros_like(part) for name, part in direction.items()}
    assert math.isfinite(difference_step(nothing, sides) * 0.0)


def test_second_slopes_are_the_hessian_of_the_combiner() -> None:
    combiner, values, change = melter(), torch.rand(3).double(), torch.randn(3).double()
    wanted = torch.autograd.functional.hessian(combiner, values) @ change
    torch.testing.assert_close(second_slopes(combiner, values, change), wanted)
    assert second_slopes(weighted(), values, change).tolist() == [0, 0, 0]


def test_gradient_weights_each_loss_by_its_factor_and_skips_zeros() -> None:
    model, batch = Quadratics(4), quadratic(4)
    losses = Losses(model, batch, TASKS)
    factors = torch.tensor([2.0, 0.0, -1.0]).double()
    _, values, got = gradient(losses, weights_of(model), lambda some: some @ factors)
    wanted = torch.einsum("t,tij,j->i", factors, batch[0], model.w) - factors @ batch[1]
    torch.testing.assert_close(got["w"], wanted.detach())
    torch.testing.assert_close(values, torch.stack(list(model.losses(batch).values())).detach())
    none = gradient(losses, weights_of(model), lambda some: some.sum() * 0).vector
    assert none["w"].tolist() == [0] * 4


# What makes second derivatives of real backbones hard.


def backbone(**settings: Any) -> Backbone:
    model = Backbone(**settings).double().train()
    assert model.words.weight is model.embed.weight
    return model


@pytest.mark.parametrize("way", ["vjp", "difference"])
def test_all_ways_agree_with_attention_dropout_batch_norm_and_checkpoints(way: Any) -> None:
    model = backbone(dropout=0.3)
    direction = direction_of(model)
    losses = Losses(model, ids(), TASKS)
    _, wanted = along(losses, weights_of(model), direction, "jvp")
    _, got = along(losses, weights_of(model), direction, way)
    torch.testing.assert_close(got, wanted, rtol=CLOSE[way], atol=CLOSE[way])


def test_a_checkpointed_backbone_bends_as_a_plain_one() -> None:
    """Recomputed activations must come from the moved weights, not from the model's own."""
    torch.manual_seed(0)
    batch, made = ids(), []
    for recompute in (True, False):
        torch.manual_seed(1)
        model = backbone(dropout=0.0, recompute=recompute)
        direction = direction_of(model)
        losses = Losses(model, batch, TASKS)
        bent = [
            curvature(losses, weights_of(model), weighted(), way)(direction)
            for way in ("exact", "difference")
        ]
        made += [flat(one) for one in bent]
    for one in made[1:]:
        torch.testing.assert_close(one, made[0], rtol=1e-6, atol=1e-6)


def test_the_same_draw_of_dropout_every_time_and_another_for_the_next_batch() -> None:
    model = backbone(dropout=0.5)
    batch = ids()
    first, second = Losses(model, batch, TASKS), Losses(model, batch, TASKS)
    values = [
        losses.at(weights_of(model), lambda some: torch.stack(some).detach())
        for losses in (first, first, second)
    ]
    assert torch.equal(values[0], values[1])
    assert not torch.equal(values[0], values[2])


@pytest.mark.parametrize("way", WAYS)
def test_a_meta_step_leaves_no_trace(way: Any) -> None:
    """Weights, gradients, running statistics and the generator are as they were."""
    model = backbone()
    model.embed.weight.grad = torch.ones_like(model.embed.weight)
    losses, direction = Losses(model, ids(), TASKS), direction_of(model)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    generator = torch.get_rng_state()
    along(losses, weights_of(model), direction, way)
    curvature(losses, weights_of(model), weighted(), "exact")(direction)
    curvature(losses, weights_of(model), weighted(), "difference")(direction)
    assert torch.equal(torch.get_rng_state(), generator)
    after = model.state_dict()
    assert int(after["norm.num_batches_tracked"]) == 0
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert torch.equal(model.embed.weight.grad, torch.ones_like(model.embed.weight))
    assert all(p.grad is None for n, p in model.named_parameters() if n != "embed.weight")
    assert model.words.weight is model.embed.weight


@pytest.mark.parametrize("way", WAYS)
def test_a_backbone_in_bfloat16_gives_slopes_near_those_in_float32(way: Any) -> None:
    model = Backbone(dropout=0.0).train()
    direction = direction_of(model)
    full = Losses(model, ids(8), TASKS)
    half = Losses(model, full.batch, TASKS, torch.bfloat16)
    wanted_values, wanted = along(full, weights_of(model), direction, "vjp")
    values, got = along(half, weights_of(model), direction, way)
    assert values.dtype == got.dtype == torch.float32
    torch.testing.assert_close(got, wanted, rtol=0.05, atol=0.05 * float(wanted.abs().max()))
    torch.testing.assert_close(values, wanted_values, rtol=0.02, atol=0.02)
    assert torch.equal(values, wanted_values) == False  # noqa: E712


def test_bfloat16_is_really_used_and_its_gradients_are_full_precision() -> None:
    model = Backbone(dropout=0.0).train()
    batch = ids(8)
    found = [
        gradient(Losses(model, batch, TASKS, lowered), weights_of(model), torch.sum)
        for lowered in (None, torch.bfloat16)
    ]
    assert not torch.equal(found[0].losses, found[1].losses)
    assert all(tensor.dtype == torch.float32 for tensor in found[1].vector.values())


def test_a_step_ahead_in_float32_finds_slopes_to_a_part_of_the_noise_of_batches() -> None:
    """With the losses at the weights, which training computes anyway."""
    model, batches = Backbone(dropout=0.1).train(), [ids(8) for _ in range(4)]
    task = problem(model, melter().float(), batches, ids(8))
    v, slopes, errors = task.judged(task.weights).gradient, [], []
    for lower in task.lower:
        values, right = along(lower, task.weights, v, "vjp")
        moved, step = ahead(lower, task.weights, dict(v))
        slopes.append(right)
        errors.append((moved - values) / step - right)
    noise = torch.stack(slopes).std(0).norm()
    assert torch.stack(errors).square().mean(0).sum().sqrt() < 0.05 * noise


def test_differences_in_float32_find_slopes_to_a_percent() -> None:
    model = Backbone(dropout=0.1).train()
    task = problem(model, melter().float(), [ids(8)], ids(8))
    v = task.judged(task.weights).gradient
    _, wanted = along(task.lower[0], task.weights, v, "vjp")
    _, got = along(task.lower[0], task.weights, v, "difference")
    torch.testing.assert_close(got, wanted, rtol=0.01, atol=0.01 * float(wanted.abs().max()))
