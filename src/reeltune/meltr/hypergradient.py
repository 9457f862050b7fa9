"""The gradient of the primary loss by MELTR's parameters: one formula for every scheme.

The melted loss G(w, phi) = MELTR(l(w); phi) is what the weights w are trained on; the primary loss
F(w, phi) is what MELTR's parameters phi are trained on. The implicit function theorem gives

    dF/dphi = (direct) - M x,   H x = v,   v = grad_w F,   M x = d/dphi <grad_w G, x>

(equation 9). G depends on w only through the few scalars l_t, so that
`grad_w G = sum_t a_t grad_w l_t` with `a = d MELTR / d l`, and

    M x = d/dphi sum_t c_t a_t,   c_t = <grad_w l_t, x>.

Only MELTR itself is differentiated twice. Schemes differ in how they approach x.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from reeltune.errors import ConfigError
from reeltune.meltr.derivatives import Along, Curved, ahead, along, curvature, gradient
from reeltune.meltr.losses import Losses, Taken, Weights
from reeltune.meltr.ranks import mean_of_each, mean_over_ranks
from reeltune.meltr.transformer import regulariser
from reeltune.meltr.vectors import added, times
from reeltune.nn.shapes import Float

Regularise = Literal["lower", "upper"]


class Primary(NamedTuple):
    """The primary loss F, its gradient by the weights, and its gradient by phi at fixed weights."""

    loss: float
    gradient: Weights
    direct: Weights


class Hypergradient(NamedTuple):
    """The gradient by MELTR's parameters, with the primary loss."""

    gradient: Weights
    loss: float


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One bilevel problem: a model, what melts its losses, and the batches of both levels."""

    weights: Weights  # of the model, those that are trained
    combiner: nn.Module
    lower: Sequence[Losses]  # of training batches, the most recent one last
    upper: Losses  # of the batch that judges
    primary: str  # the loss that F is
    gamma: float = 0.0  # of the regulariser in F (equation 7)
    regularise: Regularise = "lower"  # the level whose batch the regulariser is taken on
    direct_term: bool = False  # the paper and its code leave out how F depends on phi directly
    along: Along = "difference"  # how c is computed
    curved: Curved = "difference"  # how H u is computed
    here: Taken | None = None  # the last lower losses, where training needs them as well

    def last(self, count: int) -> Sequence[Losses]:
        """The `count` most recent training batches."""
        if len(self.lower) < count:
            raise ConfigError(
                f"the scheme reads {count} training batches, but the problem has "
                f"{len(self.lower)}; give it {count}"
            )
        return self.lower[len(self.lower) - count :]

    def melted_gradient(self, losses: Losses, weights: Weights) -> Weights:
        """Gradient of the melted loss of one batch at `weights`."""
        return gradient(losses, weights, self.combiner).vector

    def curvature(self, losses: Losses, weights: Weights) -> Callable[[Weights], Weights]:
        """Products with H, for one batch at `weights`."""
        return curvature(losses, weights, self.combiner, self.curved)

    def judged(self, weights: Weights) -> Primary:
        """The primary loss at `weights`, with both of its gradients.

        Its regulariser is taken on the last training batch, where the melted loss is trained, as
        in all three releases of the paper; or, with `regularise` "upper", on the batch that judges.
        """
        phi = dict(self.combiner.named_parameters())
        found = [(of, gradient(losses, weights, of)) for losses, of in self._judges()]
        direct = (
            reduce(added, (_by_phi(of(at.losses), phi) for of, at in found))
            if self.direct_term
            else {}
        )
        return Primary(
            sum(at.value.item() for _, at in found),
            reduce(added, (at.vector for _, at in found)),
            direct,
        )

    def _judges(self) -> list[tuple[Losses, Callable[[Tensor], Tensor]]]:
        """The terms of F: each a function of the losses of one batch."""
        index = self.upper.tasks.index(self.primary)

        def primary(values: Tensor) -> Tensor:
            return values[index]

        def distance(values: Tensor) -> Tensor:
            return self.gamma * regulariser(self.combiner(values), values)

        if self.gamma == 0:
            return [(self.upper, primary)]
        if self.regularise == "upper":
            return [(self.upper, lambda values: primary(values) + distance(values))]
        return [(self.upper, primary), (self.last(1)[0], distance)]

    def implicit(self, losses: Losses, weights: Weights, solution: Weights) -> Weights:
        """`-M x` for a solution x of `H x = v`."""
        values, changes = along(losses, weights, solution, self.along)
        return times(mixed_product(self.combiner, values, changes), -1.0)

    def implicit_here(self, solution: Weights) -> Callable[[], Weights]:
        """As `implicit`, but at the last training batch, whose losses training needs as well.

        Only one more forward pass is made for the difference. What is returned takes the losses
        of training when it is called, and then holds no vector of the size of the weights: their
        graph and such a vector are never in memory together. `solution` is used up.
        """
        losses, here = self.last(1)[0], self.here
        if here is None or self.along != "difference" or not losses.shares:
            found = self.implicit(losses, self.weights, solution)
            return lambda: found
        moved, step = ahead(losses, self.weights, solution)

        def finish() -> Weights:
            values = mean_over_ranks(torch.stack(here()).detach())
            return times(mixed_product(self.combiner, values, (moved - values) / step), -1.0)

        return finish


def hypergradient(problem: Problem, solve: Callable[[Weights], Weights]) -> Hypergradient:
    """The formula above, at the last training batch; `solve` gives x from v."""
    found = problem.judged(problem.weights)
    finish = problem.implicit_here(solve(found.gradient))
    found = found._replace(gradient={})  # before training's forward pass takes its memory
    return assembled(finish(), found)


def assembled(implicit: Weights, found: Primary) -> Hypergradient:
    """The sum of the implicit and the direct part, as a mean over processes.

    Each process computes the same from reduced numbers, but for dropout in MELTR and rounding;
    the mean makes phi the same to the bit.
    """
    total = {name: part + found.direct.get(name, 0.0) for name, part in implicit.items()}
    return Hypergradient(mean_of_each(total), found.loss)


def mixed_product(
    combiner: nn.Module, losses: Float[Tensor, " T"], changes: Float[Tensor, " T"]
) -> Weights:
    """`d/dphi sum_t c_t a_t`: how phi changes the slopes of MELTR along the changes c."""
    leaf = losses.detach().requires_grad_()
    (slope,) = torch.autograd.grad(
        combiner(leaf), leaf, create_graph=True, allow_unused=True, materialize_grads=True
    )
    return _by_phi(slope @ changes.to(slope.dtype), dict(combiner.named_parameters()))


def _by_phi(value: Tensor, phi: Mapping[str, Tensor]) -> Weights:
    if not value.requires_grad:  # a combiner without parameters, or blind to the losses
        return {name: torch.zeros_like(parameter) for name, parameter in phi.items()}
    found = torch.autograd.grad(
        value, list(phi.values()), allow_unused=True, materialize_grads=True
    )
    return dict(zip(phi, found, strict=True))
