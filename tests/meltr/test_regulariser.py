"""The regulariser of equation 7: on which batch it is taken, and the ways by which phi feels it."""

from typing import Any

import pytest
import torch
from small_problems import TASKS, Perceptron, melter, network, points, problem
from torch import Tensor

from oracles.slow_hypergradient import central_differences, double_backward, flat, melted
from reeltune.meltr.hypergradient import Problem
from reeltune.meltr.schemes.aid_fp_lite import aid_fp_lite
from reeltune.meltr.schemes.meta_weight_net import meta_weight_net
from reeltune.meltr.settings import Settings
from reeltune.meltr.transformer import regulariser


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(5)


BATCHES = pytest.mark.parametrize("regularise", ["lower", "upper"])


def primary_of(model: Any, lower: Any, upper: Any, combiner: Any, regularise: str) -> Tensor:
    """Equation 7 with gamma 0.3, its regulariser on the batch of that level."""
    judging, training = (
        torch.stack([model.losses(batch)[task] for task in TASKS]) for batch in (upper, lower)
    )
    values = {"lower": training, "upper": judging}[regularise]
    return judging[0] + 0.3 * regulariser(combiner(values), values)


@BATCHES
def test_the_regulariser_enters_the_gradient_of_the_primary_loss(regularise: str) -> None:
    task, model, lower, upper = network(gamma=0.3, regularise=regularise)
    value = primary_of(model, lower, upper, task.combiner, regularise)
    wanted = torch.autograd.grad(value, list(model.parameters()))
    found = task.judged(task.weights)
    torch.testing.assert_close(flat(found.gradient), flat(wanted), rtol=1e-10, atol=1e-13)
    assert found.loss == pytest.approx(value.item())
    assert found.direct == {}


def test_the_releases_take_the_regulariser_on_the_batch_of_the_melted_loss() -> None:
    """Their way, by double backward: both parts of L_pri in one gradient, from two batches."""
    task, model, lower, upper = network(gamma=0.3)
    assert task.regularise == Settings().regularise == "lower"
    value = primary_of(model, lower, upper, task.combiner, "lower")
    v = list(torch.autograd.grad(value, list(model.parameters())))
    wanted = -double_backward(model, lower, task.combiner, v)
    got = flat(aid_fp_lite(task).gradient)
    torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-13)
    other = flat(aid_fp_lite(Problem(**(vars(task) | {"regularise": "upper"}))).gradient)
    cosine = torch.cosine_similarity(got, other, dim=0)
    assert cosine < 0.999, "the batch is not a detail: it turns the hypergradient"


@BATCHES
def test_the_direct_term_is_a_flag_and_adds_how_the_primary_loss_depends_on_phi(
    regularise: str,
) -> None:
    task, model, lower, upper = network(gamma=0.3, regularise=regularise)
    phi = list(task.combiner.parameters())
    value = primary_of(model, lower, upper, task.combiner, regularise)
    wanted = flat(torch.autograd.grad(value, phi))
    without = flat(aid_fp_lite(task).gradient)
    with_it = Problem(**(vars(task) | {"direct_term": True}))
    torch.testing.assert_close(flat(aid_fp_lite(with_it).gradient) - without, wanted)
    assert wanted.norm() > without.norm()  # it is left out in the paper, and it is not small


@BATCHES
def test_the_whole_derivative_of_one_step_has_the_direct_term(regularise: str) -> None:
    model, combiner = Perceptron().double(), melter(width=4, scale_width=3, feedforward=3)
    lower, upper = points(), points()
    start = {name: w.detach().clone() for name, w in model.named_parameters()}

    def judged() -> float:
        model.load_state_dict(start)
        slopes = torch.autograd.grad(melted(model, lower, combiner), list(model.parameters()))
        with torch.no_grad():
            for w, slope in zip(model.parameters(), slopes, strict=True):
                w -= 2.0 * slope
        return primary_of(model, lower, upper, combiner, regularise).item()

    wanted = central_differences(judged, list(combiner.parameters()), step=1e-4)
    model.load_state_dict(start)
    settings = {"gamma": 0.3, "direct_term": True, "regularise": regularise}
    task = problem(model, combiner, [lower], upper, **settings)
    got = flat(meta_weight_net(task, steps=1, rate=2.0).gradient)
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4 * float(wanted.abs().max()))
