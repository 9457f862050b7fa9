"""StocBiO: a Neumann series with a fresh batch in every factor (Ji et al., 2010.07962)."""

from functools import partial

from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveFloat

from reeltune.meltr.hypergradient import Hypergradient, Problem, hypergradient
from reeltune.meltr.losses import Weights
from reeltune.meltr.scheme import Scheme
from reeltune.meltr.vectors import plus, times


class Config(BaseModel):
    """Settings; the MELTR paper does not say which values it used."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    terms: NonNegativeInt = 3  # Q, products with the Hessian
    rate: PositiveFloat = 1e-2  # eta

    def build(self) -> Scheme:
        """The scheme with these settings."""
        found = partial(stocbio, terms=self.terms, rate=self.rate)
        return Scheme("stocbio", found, batches=self.terms + 1, curves=self.terms > 0)


def stocbio(problem: Problem, *, terms: int, rate: float) -> Hypergradient:
    """`-M x`, `x = rate sum_q u_q`, `u_0 = v`, `u_q = (I - rate H_q) u_(q-1)` for q to `terms`.

    H_q is of a batch of its own, and M of a further one. This is the paper's form; the authors'
    code uses one batch for all q, leaves out u_0 and scales only the last term.
    """

    def solve(v: Weights) -> Weights:
        total, term = v, v
        for losses in problem.last(terms + 1)[:-1]:
            product = problem.curvature(losses, problem.weights)
            term = plus(term, product(term), -rate)
            total = plus(total, term)
        return times(total, rate)

    return hypergradient(problem, solve)
