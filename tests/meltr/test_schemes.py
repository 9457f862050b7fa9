"""Every scheme against closed forms, and against brute-force differences of the outer loss."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from small_problems import (
    Perceptron,
    Quadratics,
    melter,
    network,
    points,
    problem,
    quadratic,
    weighted,
)
from torch import Tensor, nn

from oracles.slow_hypergradient import central_differences, double_backward, flat, hessian, melted
from reeltune.errors import ConfigError
from reeltune.meltr import linear
from reeltune.meltr.hypergradient import Problem
from reeltune.meltr.schemes.aid_fp_lite import aid_fp_lite
from reeltune.meltr.schemes.conjugate_gradient import conjugate_gradient, solve
from reeltune.meltr.schemes.meta_weight_net import meta_weight_net
from reeltune.meltr.schemes.multi_task import multi_task
from reeltune.meltr.schemes.neumann import neumann
from reeltune.meltr.schemes.stocbio import stocbio
from reeltune.meltr.vectors import times
from reeltune.registry import find, names

Made = Callable[[Problem], Tensor]
RATE = 0.15


def cg(task: Problem) -> Tensor:
    found = conjugate_gradient(task, steps=60, damping=0.0, tolerance=1e-12)
    return flat(found.gradient)


def series(task: Problem) -> Tensor:
    """The whole Neumann series; AuxiLearn leaves out the factor."""
    return RATE * flat(neumann(task, terms=150, rate=RATE).gradient)


def stochastic(task: Problem) -> Tensor:
    return flat(stocbio(task, terms=150, rate=RATE).gradient)


def unrolled(task: Problem) -> Tensor:
    """From the optimum, every step stays there, and the sum over them is the same series."""
    return flat(meta_weight_net(task, steps=150, rate=RATE).gradient)


EXACT = [cg, series, stochastic, unrolled]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(5)


def optimum(weights: Tensor, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Where the weighted quadratics are least."""
    h = torch.einsum("t,tij->ij", weights, batch[0])
    return torch.linalg.solve(h, weights @ batch[1])


@pytest.mark.parametrize("exact", EXACT)
def test_quadratic_closed_form(exact: Made) -> None:
    """`dF/da_t = -(A_t w - b_t)' H^-1 grad F` at the optimum w(a)."""
    model, combiner = Quadratics(5), weighted()
    lower, upper = quadratic(5), quadratic(5)
    a = combiner.weight.detach()
    with torch.no_grad():
        model.w.copy_(optimum(a, lower))
    w = model.w.detach()
    v = upper[0][0] @ w - upper[1][0]
    h = torch.einsum("t,tij->ij", a, lower[0])
    wanted = -(lower[0] @ w - lower[1]) @ torch.linalg.solve(h, v)
    got = exact(problem(model, combiner, [lower] * 151, upper))
    torch.testing.assert_close(got, wanted, rtol=1e-8, atol=1e-10)


class Ridge(nn.Module):
    """Squared error and squared weights; a batch is X (N, D) and y (N)."""

    primary = "error"

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(4, dtype=torch.float64))

    def losses(self, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        x, y = batch
        return {"error": (x @ self.w - y).square().mean(), "size": self.w.square().sum()}


@pytest.mark.parametrize("exact", EXACT)
def test_the_strength_of_a_ridge_penalty(exact: Made) -> None:
    """Against the derivative of the validation error of the closed form, by autograd."""
    truth = torch.randn(4).double()
    rows = [torch.randn(30, 4).double() for _ in range(2)]
    train, held = ((x, x @ truth + torch.randn(30).double()) for x in rows)
    strength = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    x, y = train
    w = torch.linalg.solve(x.T @ x / 30 + strength * torch.eye(4).double(), x.T @ y / 30)
    (wanted,) = torch.autograd.grad((held[0] @ w - held[1]).square().mean(), strength)
    model, combiner = Ridge(), linear.Config(tasks=("error", "size")).build().double()
    with torch.no_grad():
        model.w.copy_(w)
        combiner.weight.copy_(torch.tensor([1.0, 0.3]))
    settings = {"primary": "error"}
    task = problem(model, combiner, [train] * 151, held)
    got = exact(Problem(**(vars(task) | settings)))
    torch.testing.assert_close(got[1], wanted, rtol=1e-6, atol=1e-9)


def settle(model: Quadratics, combiner: nn.Module, batch: Any) -> None:
    """Newton's method to the optimum of the melted loss."""
    for _ in range(6):
        (slope,) = torch.autograd.grad(melted(model, batch, combiner), model.w)
        step = torch.linalg.solve(hessian(model, batch, combiner), slope)
        with torch.no_grad():
            model.w -= step


def test_meltr_against_differences_of_the_loss_at_the_optimum() -> None:
    """Brute force: move each parameter, train to the end again, judge again."""
    model, combiner = Quadratics(3), melter(residual=True, width=4, scale_width=3, feedforward=3)
    lower, upper = quadratic(3), quadratic(3)
    parameters = [combiner.fc1.weight, combiner.loss_fc1.bias]

    def judged() -> float:
        settle(model, combiner, lower)
        return model.losses(upper)["primary"].item()

    wanted = central_differences(judged, parameters)
    settle(model, combiner, lower)
    settle(model, combiner, lower)
    assert torch.linalg.eigvalsh(hessian(model, lower, combiner)).min() > 0.1
    assert wanted.abs().max() > 1e-3
    sizes = {name: p.numel() for name, p in combiner.named_parameters()}
    for exact in (cg, series):
        whole = exact(problem(model, combiner, [lower], upper))
        parts = dict(zip(sizes, whole.split(list(sizes.values())), strict=True))
        got = torch.cat([parts["fc1.weight"], parts["loss_fc1.bias"]])
        torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize(("along", "curved"), [("jvp", "exact"), ("difference", "difference")])
def test_unrolled_steps_against_differences_through_them(
    steps: int, along: str, curved: str
) -> None:
    """And the sign: a dropped minus makes MELTR an adversary while losses look plausible."""
    model, combiner = Perceptron().double(), melter(width=4, scale_width=3, feedforward=3)
    lower, upper = [points() for _ in range(steps)], points()
    start = {name: w.detach().clone() for name, w in model.named_parameters()}

    def judged() -> float:
        model.load_state_dict(start)
        for batch in lower:
            weights = list(model.parameters())
            slopes = torch.autograd.grad(melted(model, batch, combiner), weights)
            with torch.no_grad():
                for w, slope in zip(weights, slopes, strict=True):
                    w -= 2.0 * slope
        return model.losses(upper)["primary"].item()

    wanted = central_differences(judged, list(combiner.parameters()), step=1e-4)
    model.load_state_dict(start)
    task = problem(model, combiner, lower, upper, along=along, curved=curved)
    got = flat(meta_weight_net(task, steps=steps, rate=2.0).gradient)
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4 * float(wanted.abs().max()))
    for name, w in model.named_parameters():
        assert torch.equal(w, start[name])


def test_lite_is_minus_the_mixed_product_with_the_gradient_of_the_primary_loss() -> None:
    task, model, lower, upper = network()
    weights = list(model.parameters())
    v = torch.autograd.grad(model.losses(upper)["primary"], weights, materialize_grads=True)
    wanted = -double_backward(model, lower, task.combiner, list(v))
    torch.testing.assert_close(flat(aid_fp_lite(task).gradient), wanted, rtol=1e-10, atol=1e-14)
    assert aid_fp_lite(task).loss == model.losses(upper)["primary"].item()


def test_a_step_against_the_hypergradient_of_lite_lowers_the_primary_loss() -> None:
    """Train on a little of the melted loss before and after: the sign, end to end."""
    model, combiner = Quadratics(5), weighted()
    batch = quadratic(5)
    found = aid_fp_lite(problem(model, combiner, [batch], batch)).gradient["weight"]
    after = []
    for sign in (0, 1):
        a = combiner.weight.detach() - 0.05 * sign * found / found.norm()
        w = model.w - 0.05 * (torch.einsum("t,tij,j->i", a, batch[0], model.w) - a @ batch[1])
        after.append((w @ batch[0][0] @ w / 2 - batch[1][0] @ w).item())
    assert after[1] < after[0]


def test_a_linear_combiner_is_told_how_gradients_align() -> None:
    """The hypergradient of weight t is `-<grad l_t, v>`."""
    model, lower, upper = Quadratics(5), quadratic(5), quadratic(5)
    v = upper[0][0] @ model.w - upper[1][0]
    wanted = -(lower[0] @ model.w - lower[1]) @ v
    found = aid_fp_lite(problem(model, weighted(), [lower], upper)).gradient["weight"]
    torch.testing.assert_close(found, wanted.detach(), rtol=1e-12, atol=1e-12)


def test_neumann_without_terms_is_lite_to_the_bit() -> None:
    task, *_ = network()
    lite, none = aid_fp_lite(task), neumann(task, terms=0, rate=0.1)
    assert all(torch.equal(part, none.gradient[name]) for name, part in lite.gradient.items())


def test_stocbio_without_terms_is_lite_times_the_rate() -> None:
    task, *_ = network()
    lite, none = aid_fp_lite(task), stocbio(task, terms=0, rate=0.1)
    torch.testing.assert_close(flat(none.gradient), 0.1 * flat(lite.gradient))


@pytest.mark.parametrize("terms", [1, 3])
def test_neumann_is_its_sum_of_matrix_powers(terms: int) -> None:
    task, model, lower, _ = network()
    h = hessian(model, lower, task.combiner)
    factor = torch.eye(len(h)).double() - 0.2 * h
    x = sum(torch.linalg.matrix_power(factor, j) for j in range(terms + 1)) @ flat(
        task.judged(task.weights).gradient
    )
    wanted = -double_backward(model, lower, task.combiner, _pieces(model, x))
    got = flat(neumann(task, terms=terms, rate=0.2).gradient)
    torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-13)


def test_stocbio_takes_a_fresh_batch_for_every_factor_and_one_more_for_the_product() -> None:
    model, combiner = Perceptron().double(), melter()
    lower, upper = [points() for _ in range(3)], points()
    task = problem(model, combiner, lower, upper)
    u = total = flat(task.judged(task.weights).gradient)
    for batch in lower[:2]:
        u = u - 0.2 * hessian(model, batch, combiner) @ u
        total = total + u
    wanted = -double_backward(model, lower[2], combiner, _pieces(model, 0.2 * total))
    got = flat(stocbio(task, terms=2, rate=0.2).gradient)
    torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-13)


def _pieces(model: nn.Module, vector: Tensor) -> list[Tensor]:
    sizes = [w.numel() for w in model.parameters()]
    return [p.view_as(w) for p, w in zip(vector.split(sizes), model.parameters(), strict=True)]


def test_unrolling_a_vanishing_step_is_lite() -> None:
    task, *_ = network()
    lite = flat(aid_fp_lite(task).gradient)
    for rate, least in ((1.0, 0.8), (1e-2, 0.9999), (1e-5, 1 - 1e-9)):
        itd = flat(meta_weight_net(task, steps=1, rate=rate).gradient)
        assert torch.cosine_similarity(itd, lite, dim=0) > least


def test_damping_is_added_to_the_curvature() -> None:
    task, model, lower, _ = network()
    h = hessian(model, lower, task.combiner)
    lift = 0.1 - float(torch.linalg.eigvalsh(h).min())
    v = flat(task.judged(task.weights).gradient)
    x = torch.linalg.solve(h + lift * torch.eye(len(h)).double(), v)
    wanted = -double_backward(model, lower, task.combiner, _pieces(model, x))
    found = conjugate_gradient(task, steps=200, damping=lift, tolerance=1e-13)
    torch.testing.assert_close(flat(found.gradient), wanted, rtol=1e-6, atol=1e-10)


def solved(matrix: Tensor, v: Tensor, steps: int, tolerance: float = 0.0) -> tuple[Tensor, int]:
    """What conjugate gradients give, and how many products they took."""
    calls = []

    def product(u: dict[str, Tensor]) -> dict[str, Tensor]:
        calls.append(u)
        return {"w": matrix @ u["w"]}

    return solve(product, {"w": v}, steps, tolerance)["w"], len(calls)


def test_conjugate_gradients_stop_at_negative_curvature() -> None:
    v = torch.tensor([1.0, 1.0]).double()
    down = torch.diag(torch.tensor([-1.0, -2.0])).double()
    assert torch.equal(solved(down, v, 5)[0], v)
    saddle = torch.diag(torch.tensor([3.0, -1.0])).double()
    found, calls = solved(saddle, v, 5)
    assert calls == 2
    torch.testing.assert_close(found, v)  # the first step: size / curvature = 2 / 2


def test_conjugate_gradients_stop_at_the_tolerance_and_after_the_steps() -> None:
    v = torch.randn(6).double()
    matrix = quadratic(6)[0][0]
    assert solved(2 * torch.eye(6).double(), v, 50, 1e-9)[1] == 1
    assert solved(matrix, v, 2)[1] == 2
    found, calls = solved(matrix, v, 50, 1e-10)
    assert calls <= 8
    torch.testing.assert_close(found, torch.linalg.solve(matrix, v), rtol=1e-8, atol=1e-10)


def test_conjugate_gradients_of_a_zero_gradient_are_zero() -> None:
    assert solved(torch.eye(3).double(), torch.zeros(3).double(), 5)[0].tolist() == [0, 0, 0]


# The regulariser and the direct term.


# The folder of schemes.

LEARNING = [name for name in names("meltr.schemes") if name != "multi-task"]


def test_the_schemes_of_table_8_are_there() -> None:
    wanted = {"aid-fp-lite", "conjugate-gradient", "meta-weight-net", "multi-task", "neumann"}
    assert set(names("meltr.schemes")) >= wanted | {"stocbio"}


@pytest.mark.parametrize("name", LEARNING)
@pytest.mark.parametrize(("along", "curved"), [("vjp", "exact"), ("difference", "difference")])
def test_every_way_of_differentiating_gives_the_same_for_every_scheme(
    name: str, along: str, curved: str
) -> None:
    scheme = find("meltr.schemes", name).Config().build()
    assert scheme.name == name
    model, lower, upper = Perceptron().double(), [points() for _ in range(4)], points()
    found = []
    for settings in ({}, {"along": along, "curved": curved}):
        task = problem(model, melter_of_seed(), lower, upper, gamma=0.1, **settings)
        found.append(flat(scheme.hypergradient(task).gradient))
    scale = float(found[0].abs().max())
    assert scale > 0
    torch.testing.assert_close(found[1], found[0], rtol=1e-5, atol=1e-6 * scale)


def melter_of_seed() -> nn.Module:
    torch.manual_seed(9)
    return melter()


def test_multi_task_learns_nothing() -> None:
    scheme = find("meltr.schemes", "multi-task").Config().build()
    task, model, _, upper = network()
    assert scheme.batches == 0
    assert multi_task(task).gradient == {}
    assert multi_task(task).loss == model.losses(upper)["primary"].item()


@pytest.mark.parametrize("name", names("meltr.schemes"))
def test_settings_of_schemes_are_closed(name: str) -> None:
    with pytest.raises(ValueError, match="no_such"):
        find("meltr.schemes", name).Config(no_such=1)


def test_too_few_batches_are_an_error_that_says_how_many() -> None:
    task, *_ = network()
    with pytest.raises(ConfigError, match="reads 4 training batches, but the problem has 1; give"):
        stocbio(task, terms=3, rate=0.1)


def test_a_combiner_blind_to_the_losses_has_no_hypergradient() -> None:
    model, batch = Perceptron().double(), points()
    found = aid_fp_lite(problem(model, melter(scale=False), [batch], batch)).gradient
    assert flat(times(found, 1.0)).abs().max() == 0
