"""AID-CG: solves the linear system of the implicit function theorem by conjugate gradients."""

from collections.abc import Callable
from functools import partial

from pydantic import BaseModel, ConfigDict, NonNegativeFloat, PositiveInt

from reeltune.meltr.hypergradient import Hypergradient, Problem, hypergradient
from reeltune.meltr.losses import Weights
from reeltune.meltr.scheme import Scheme
from reeltune.meltr.vectors import dot, plus, times


class Config(BaseModel):
    """Settings, none of which the paper states."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    steps: PositiveInt = 3  # products with the Hessian, at most
    damping: NonNegativeFloat = 1e-3  # added to every curvature
    tolerance: NonNegativeFloat = 1e-6  # of the residual, relative to v

    def build(self) -> Scheme:
        """The scheme with these settings."""
        found = partial(
            conjugate_gradient,
            steps=self.steps,
            damping=self.damping,
            tolerance=self.tolerance,
        )
        return Scheme("conjugate-gradient", found)


def conjugate_gradient(
    problem: Problem, *, steps: int, damping: float, tolerance: float
) -> Hypergradient:
    """`-M x` with `(H + damping I) x = v`."""
    bent = problem.curvature(problem.last(1)[0], problem.weights)

    def product(u: Weights) -> Weights:
        return plus(bent(u), u, damping)

    return hypergradient(problem, lambda v: solve(product, v, steps, tolerance))


def solve(
    product: Callable[[Weights], Weights], v: Weights, steps: int, tolerance: float
) -> Weights:
    """Conjugate gradients from zero, until `steps`, `tolerance` or a direction that bends down.

    The Hessian of a network has negative curvature. Along it the quadratic has no minimum, so
    the solution so far is returned, as Steihaug's method does; on the first direction that is v.
    """
    x, residual, direction = times(v, 0.0), v, v
    size = first = dot(v, v).item()
    for step in range(steps):
        if size <= tolerance**2 * first:
            break
        bent = product(direction)
        curved = dot(direction, bent).item()
        if curved <= 0:
            return x if step else v
        x = plus(x, direction, size / curved)
        residual = plus(residual, bent, -size / curved)
        before, size = size, dot(residual, residual).item()
        direction = plus(residual, direction, size / before)
    return x
