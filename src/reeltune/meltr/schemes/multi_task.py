"""Multi-task learning: the plain sum of the losses, and nothing learned about them."""

from pydantic import BaseModel, ConfigDict

from reeltune.meltr.hypergradient import Hypergradient, Problem
from reeltune.meltr.scheme import Scheme


class Config(BaseModel):
    """There is nothing to set; the step uses `combiner.Total` with it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def build(self) -> Scheme:
        """The scheme, which learns nothing."""
        return Scheme("multi-task", multi_task, batches=0, curves=False)


def multi_task(problem: Problem) -> Hypergradient:
    """Return no gradient, because the sum has no parameters."""
    return Hypergradient({}, problem.judged(problem.weights).loss)
