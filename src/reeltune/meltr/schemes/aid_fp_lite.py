"""AID-FP-Lite, the paper's own scheme: the inverse Hessian is taken as identity (equation 11)."""

from pydantic import BaseModel, ConfigDict

from reeltune.meltr.hypergradient import Hypergradient, Problem, hypergradient
from reeltune.meltr.scheme import Scheme


class Config(BaseModel):
    """There is nothing to set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def build(self) -> Scheme:
        """The scheme with these settings."""
        return Scheme("aid-fp-lite", aid_fp_lite, curves=False)


def aid_fp_lite(problem: Problem) -> Hypergradient:
    """`-M v`: no product with the Hessian, one with the mixed derivative."""
    return hypergradient(problem, lambda v: v)
