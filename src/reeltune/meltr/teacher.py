"""Moves a combiner against its hypergradient, by an Adam of its own."""

import math
import time
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from reeltune.errors import CheckpointError, DataError
from reeltune.meltr.hypergradient import Problem
from reeltune.meltr.scheme import Scheme
from reeltune.meltr.settings import Settings
from reeltune.nn.adam_state import adam_state, load_adam_state


class Teacher:
    """The outer level: each call is one step of Adam, clipped, at a rate that may decay.

    `said` are the primary loss and the norm of the hypergradient at the last step, `steps` how
    many there were.
    """

    def __init__(self, combiner: nn.Module, scheme: Scheme, settings: Settings) -> None:
        self.combiner, self.scheme, self.settings = combiner, scheme, settings
        learned: list[Tensor] = list(combiner.parameters())
        self.optimizer = torch.optim.Adam(
            learned or [torch.zeros(0)],  # multi-task has none, and Adam wants one
            settings.lr,
            weight_decay=settings.weight_decay,
        )
        self.steps = 0
        self.said = {"meta loss": 0.0, "meta gradient": 0.0}

    def __call__(self, problem: Problem) -> float:
        """Take one step; return the seconds that it took beside training."""
        start = time.perf_counter()
        with torch.enable_grad():
            found = self.scheme.hypergradient(problem)
        for name, parameter in self.combiner.named_parameters():
            parameter.grad = found.gradient[name].to(parameter.dtype)
        limit = self.settings.clip_norm or float("inf")
        norm = float(nn.utils.clip_grad_norm_(self.combiner.parameters(), limit))
        if not math.isfinite(norm):
            raise DataError(
                f"the hypergradient of meta step {self.steps} is not finite"
                f"{_cause(problem)}; lower the rate of {self.scheme.name}, or use precision fp32"
            )
        self.optimizer.param_groups[0]["lr"] = self._rate()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.steps += 1
        self.said = {"meta loss": found.loss, "meta gradient": norm}
        trained = problem.here.seconds if problem.here else 0.0
        return time.perf_counter() - start - trained

    def _rate(self) -> float:
        settings = self.settings
        if settings.decay_over is None:
            return settings.lr
        return settings.lr * max(0.0, 1 - self.steps / settings.decay_over)

    def state_dict(self) -> dict[str, Tensor]:
        """The combiner and its Adam, as flat tensors; `steps` and `said` are left to others."""
        adam = adam_state(self.optimizer, self.combiner.named_parameters())
        parts = {"phi": self.combiner.state_dict(), "adam": adam}
        return {
            f"{part}/{n}": tensor for part, named in parts.items() for n, tensor in named.items()
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from such a state; raises CheckpointError for that of another combiner."""
        phi = {n.removeprefix("phi/"): t for n, t in state.items() if n.startswith("phi/")}
        try:
            self.combiner.load_state_dict(phi)
        except RuntimeError as error:
            raise CheckpointError(
                f"the stored state of meltr does not fit ({str(error).splitlines()[-1].strip()}); "
                "resume with the same combiner, or start anew"
            ) from error
        adam = {n.removeprefix("adam/"): t for n, t in state.items() if n.startswith("adam/")}
        load_adam_state(self.optimizer, self.combiner.named_parameters(), adam)


def _cause(problem: Problem) -> str:
    """Says which losses are not finite, and on which batch."""
    batches = {"the training batch": problem.last(1)[0], "the batch that judges": problem.upper}
    bad = [
        f"{task} is {loss.item()} on {where}"
        for where, losses in batches.items()
        for task, loss in zip(losses.tasks, losses.at(problem.weights, list), strict=True)
        if not loss.isfinite()
    ]
    return f", as {' and '.join(bad)}" if bad else ""
