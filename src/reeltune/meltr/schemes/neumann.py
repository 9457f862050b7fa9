"""The scheme of AuxiLearn: the first terms of a Neumann series (Navon et al., 2007.02693)."""

from functools import partial

from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveFloat

from reeltune.meltr.hypergradient import Hypergradient, Problem, hypergradient
from reeltune.meltr.losses import Weights
from reeltune.meltr.scheme import Scheme
from reeltune.meltr.vectors import plus


class Config(BaseModel):
    """Settings, with the defaults of AuxiLearn."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    terms: NonNegativeInt = 3  # J, products with the Hessian
    rate: PositiveFloat = 1e-4  # below 2 / (largest curvature) for the series to converge

    def build(self) -> Scheme:
        """The scheme with these settings."""
        found = partial(neumann, terms=self.terms, rate=self.rate)
        return Scheme("neumann", found, curves=self.terms > 0)


def neumann(problem: Problem, *, terms: int, rate: float) -> Hypergradient:
    """`-M x` with `x = sum_j (I - rate H)^j v` for j from 0 to `terms`.

    As in AuxiLearn there is no factor `rate` before the sum, so that with no terms this is
    AID-FP-Lite; `rate x` is what tends to the inverse Hessian times v.
    """

    def solve(v: Weights) -> Weights:
        total, term = v, v
        product = problem.curvature(problem.last(1)[0], problem.weights)
        for _ in range(terms):
            term = plus(term, product(term), -rate)
            total = plus(total, term)
        return total

    return hypergradient(problem, solve)
