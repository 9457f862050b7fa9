"""Derivatives of a batch's losses by the weights: gradients, slopes along a direction, curvature.

Two ways to a second-order quantity: exact by automatic differentiation, or by differences of
first-order ones, which works with every kernel that has a gradient.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.attention import SDPBackend, sdpa_kernel

from reeltune.errors import ConfigError, in_short
from reeltune.meltr.combiner import slopes, valued
from reeltune.meltr.losses import Losses, Weights
from reeltune.meltr.ranks import mean_of_each, mean_over_ranks
from reeltune.meltr.vectors import dot, leaves, norm, plus
from reeltune.nn.shapes import Float

Along = Literal["jvp", "vjp", "difference"]
Curved = Literal["exact", "difference"]


class Gradient(NamedTuple):
    """The value of a function of the losses, the losses at which it was taken, and its gradient by
    the weights.

    All are means over processes.
    """

    value: Float[Tensor, ""]
    losses: Float[Tensor, " T"]
    vector: Weights


def gradient(
    losses: Losses,
    weights: Weights,
    function: Callable[[Float[Tensor, " T"]], Float[Tensor, ""]],
    exact: bool = False,
) -> Gradient:
    """Gradient of `function` of a batch's losses, in one backward pass of the model."""
    wanted = leaves(weights)

    def back(found: list[Tensor]) -> Gradient:
        values = mean_over_ranks(torch.stack(found).detach())
        value, factors = valued(function, values)
        return Gradient(value, values, _pulled(found, factors, wanted))

    here = losses.at(wanted, back, exact)
    return here._replace(vector=mean_of_each(here.vector))


def _pulled(found: list[Tensor], factors: Tensor, weights: Weights, again: bool = False) -> Weights:
    """The vector-Jacobian product; losses with factor 0 cost nothing."""
    used = [
        (loss, factor)
        for loss, factor, size in zip(found, factors, factors.tolist(), strict=True)
        if size != 0 and loss.requires_grad
    ]
    if not used:
        return {name: torch.zeros_like(weight) for name, weight in weights.items()}
    gradients = torch.autograd.grad(
        [loss for loss, _ in used],
        list(weights.values()),
        [factor.to(loss.dtype) for loss, factor in used],
        retain_graph=again,
        allow_unused=True,
        materialize_grads=True,
    )
    return dict(zip(weights, gradients, strict=True))


def along(
    losses: Losses, weights: Weights, direction: Weights, way: Along
) -> tuple[Float[Tensor, " T"], Float[Tensor, " T"]]:
    """Values of the losses, and their slopes `c[t] = <gradient of l[t], direction>`.

    `jvp` is one forward pass in forward mode, `vjp` one forward and T backward passes, and
    `difference` two forward passes without a graph, in full precision: in bfloat16 the rounding
    of a loss is larger than the change that is looked for. Means over processes.

    Measured on UniVL (benchmarks/bench_meltr_univl.py), differences are the cheapest, and they ask
    nothing of the model but a forward pass. Where training makes one of the same batch anyway,
    `ahead` asks for one more alone, and its error is below a hundredth of how much slopes differ
    from batch to batch (benchmarks/bench_slopes.py).
    """
    ways = {"jvp": _by_jvp, "vjp": _by_vjp, "difference": _by_difference}
    values, change = ways[way](losses, weights, direction)
    return mean_over_ranks(values), mean_over_ranks(change)


def _by_jvp(losses: Losses, weights: Weights, direction: Weights) -> tuple[Tensor, Tensor]:
    # Flash and memory-efficient attention have no forward mode; without a graph, the plain
    # kernel needs little memory.
    with torch.no_grad(), _forward_mode(), sdpa_kernel(SDPBackend.MATH):
        duals = {
            name: forward_ad.make_dual(weight.detach(), direction[name])
            for name, weight in weights.items()
        }
        try:
            found = losses.at(duals, lambda some: [forward_ad.unpack_dual(loss) for loss in some])
        except NotImplementedError as error:  # such as packed sequences, before a GRU
            raise ConfigError(
                f"meltr.step.along is jvp, but the model has no forward mode "
                f"({in_short(error)}); set it to difference or vjp"
            ) from error
        values = torch.stack([one.primal for one in found])
        changes = [torch.zeros_like(p) if t is None else t for p, t in found]
    return values, torch.stack(changes)


@contextmanager
def _forward_mode() -> Iterator[None]:
    """A level of forward differentiation, which torch itself enters by a call that it
    deprecates."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit.script", DeprecationWarning)
        with forward_ad.dual_level():
            yield


def _by_vjp(losses: Losses, weights: Weights, direction: Weights) -> tuple[Tensor, Tensor]:
    wanted = leaves(weights)

    def each(found: list[Tensor]) -> tuple[Tensor, Tensor]:
        values = torch.stack(found).detach()
        rows = torch.eye(len(found), dtype=values.dtype, device=values.device)
        changes = [dot(_pulled(found, row, wanted, again=True), direction) for row in rows]
        return values, torch.stack(changes)

    return losses.at(wanted, each)


def _by_difference(losses: Losses, weights: Weights, direction: Weights) -> tuple[Tensor, Tensor]:
    step = difference_step(direction)
    with torch.no_grad():
        ahead, behind = (
            losses.at(plus(weights, direction, sign * step), torch.stack, exact=True)
            for sign in (1, -1)
        )
    return (ahead + behind) / 2, (ahead - behind) / (2 * step)


def ahead(losses: Losses, weights: Weights, direction: Weights) -> tuple[Tensor, float]:
    """The losses a small step ahead, and that step as a factor of `direction`.

    Less the losses at `weights` and divided by the step, they are slopes. Mean over processes.
    `direction` is emptied, each part as the weight ahead takes its place: memory holds one vector
    of the size of the weights, as it does for the gradients of training.
    """
    step = difference_step(direction, sides=1)
    with torch.no_grad():
        point = {
            name: torch.add(weights[name], direction.pop(name), alpha=step)
            for name in list(direction)
        }
        moved = losses.at(point, torch.stack, exact=True)
    return mean_over_ranks(moved), step


def difference_step(direction: Weights, sides: Literal[1, 2] = 2) -> float:
    """Step of a one-sided or a central difference, as a factor of `direction`.

    Its length is where rounding and truncation balance. To both sides it is twice the cube root of
    the machine precision: 0.01 in float32, as in DARTS (Liu et al., 1806.09055), and 1e-5 in
    float64. To one side it is three times the square root: 1e-3 and 4e-8. Measured on UniVL, the
    square root alone has three times the error (benchmarks/bench_slopes.py).
    """
    precision = max(torch.finfo(tensor.dtype).eps for tensor in direction.values())
    wanted = 3 * precision**0.5 if sides == 1 else 2 * precision ** (1 / 3)
    length = norm(direction)
    return wanted / length.clamp_min(torch.finfo(length.dtype).tiny).item()


def curvature(
    losses: Losses, weights: Weights, combiner: nn.Module, way: Curved
) -> Callable[[Weights], Weights]:
    """The Hessian of the melted loss by the weights, as a function of what it is multiplied by.

    By differences the gradient at `weights` is taken once, at the first product, and one more in
    each product. Means over processes.
    """
    if way == "exact":
        return partial(_curved, losses, weights, combiner)

    @cache
    def here() -> Weights:
        return gradient(losses, weights, combiner, exact=True).vector

    def bent(direction: Weights) -> Weights:
        step = difference_step(direction, sides=1)
        moved = plus(weights, direction, step)
        there = gradient(losses, moved, combiner, exact=True).vector
        return {name: (there[name] - at) / step for name, at in here().items()}

    return bent


def _curved(losses: Losses, weights: Weights, combiner: nn.Module, direction: Weights) -> Weights:
    """`H u = sum_t a_t (hessian of l_t) u + sum_t (B J u)_t (gradient of l_t)`.

    Here a are the slopes of the combiner, B its second derivatives by the losses, and J the
    gradients of the losses. Splitting H this way lets a and J u be means over processes.
    """
    wanted = leaves(weights)

    def twice(found: list[Tensor]) -> Weights:
        values = mean_over_ranks(torch.stack(found).detach())
        factors = slopes(combiner, values).requires_grad_()
        used = [pair for pair in zip(found, factors, strict=True) if pair[0].requires_grad]
        gradients = torch.autograd.grad(
            [loss for loss, _ in used],
            list(wanted.values()),
            [factor.to(loss.dtype) for loss, factor in used],
            create_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )
        product = dot(dict(zip(wanted, gradients, strict=True)), direction)
        asked = [*wanted.values(), factors]
        *bent, change = torch.autograd.grad(
            product, asked, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        turned = _pulled(found, second_slopes(combiner, values, mean_over_ranks(change)), wanted)
        return {n: one + turned[n] for n, one in zip(wanted, bent, strict=True)}

    with sdpa_kernel(SDPBackend.MATH):
        return mean_of_each(losses.at(wanted, twice))


def second_slopes(
    combiner: nn.Module, values: Float[Tensor, " T"], change: Float[Tensor, " T"]
) -> Float[Tensor, " T"]:
    """The change of the combiner's slopes when the losses change: `B change`."""
    leaf = values.detach().requires_grad_()
    (first,) = torch.autograd.grad(
        combiner(leaf), leaf, create_graph=True, allow_unused=True, materialize_grads=True
    )
    if not first.requires_grad:
        return torch.zeros_like(values)
    (second,) = torch.autograd.grad(first, leaf, change, allow_unused=True, materialize_grads=True)
    return second
