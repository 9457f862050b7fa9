"""Meta-Weight-Net: differentiate through K steps of training (ITD; Shu et al., 1902.07379)."""

from functools import partial, reduce

from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt

from reeltune.meltr.hypergradient import Hypergradient, Problem, assembled
from reeltune.meltr.scheme import Scheme
from reeltune.meltr.vectors import plus, times


class Config(BaseModel):
    """Settings; one virtual step is as in Meta-Weight-Net, and the rate should be that of real
    steps."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    steps: PositiveInt = 1  # K, virtual
    rate: PositiveFloat = 1e-3  # alpha, of plain gradient descent

    def build(self) -> Scheme:
        """The scheme with these settings."""
        found = partial(meta_weight_net, steps=self.steps, rate=self.rate)
        return Scheme("meta-weight-net", found, batches=self.steps, curves=self.steps > 1)


def meta_weight_net(problem: Problem, *, steps: int, rate: float) -> Hypergradient:
    """The gradient of `F(w_K)` by phi, where `w_(k+1) = w_k - rate grad G(w_k, phi)`.

    Backwards over the steps: p = grad F(w_K), then `h -= rate M_k p` and `p -= rate H_k p`. The
    model itself is not moved. Only the weights of each step are stored, not their graphs.
    """
    batches, path = problem.last(steps), [problem.weights]
    for losses in batches:
        path.append(plus(path[-1], problem.melted_gradient(losses, path[-1]), -rate))
    found = problem.judged(path.pop())
    p, parts = found.gradient, []
    for step in reversed(range(steps)):
        parts.append(problem.implicit(batches[step], path[step], p))
        if step > 0:
            p = plus(p, problem.curvature(batches[step], path[step])(p), -rate)
    return assembled(times(reduce(plus, parts), rate), found)
