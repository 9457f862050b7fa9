"""The bilevel training step of the one loop: weights by the melted loss, MELTR by the primary."""

import math
import time
from collections.abc import Mapping
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveInt
from torch import Tensor, nn

from reeltune.errors import CheckpointError, ConfigError, DataError
from reeltune.meltr.combiner import valued
from reeltune.meltr.derivatives import Along, Curved
from reeltune.meltr.hypergradient import Problem, Regularise
from reeltune.meltr.losses import Losses, Taken, losses_of, train_by
from reeltune.meltr.outer import Outer, Recent
from reeltune.meltr.ranks import mean_over_ranks, same_on_all_ranks
from reeltune.meltr.scheme import Scheme
from reeltune.nn.adam_state import adam_state, load_adam_state
from reeltune.nn.draw import Draw
from reeltune.objectives.named import device_of, primary_of
from reeltune.types import Batch


class Settings(BaseModel):
    """Settings of the outer level.

    The paper states Adam, lr 1e-4 and linear decay; every 3 steps and gamma 0.1 are the released
    code's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    every: PositiveInt = 3  # K, steps of the model's optimizer for one of MELTR's
    lr: NonNegativeFloat = 1e-4
    weight_decay: NonNegativeFloat = 0.0
    decay_over: PositiveInt | None = None  # meta steps after which lr reaches 0; None: constant
    clip_norm: NonNegativeFloat = 50.0  # 0: not clipped; the code of UniVL 50, of Violet 12
    gamma: NonNegativeFloat = Field(default=0.1)  # of the regulariser
    regularise: Regularise = "lower"  # whose batch it is taken on; the releases: that of L_aux
    direct_term: bool = False
    dropout: bool = False  # in MELTR; off in the code of UniVL, on in Violet's
    along: Along = "difference"
    curved: Curved = "difference"
    precision: Literal["fp32", "bf16"] = "fp32"  # of the model's forward pass; MELTR is in fp32


class Meltr:
    """A training step, as `training.step.Step`, for any model that names its losses.

    Every call adds the gradient of the melted loss to the weights' own. After `every` steps of
    the optimizer that owns the weights, the next call first moves MELTR by its own Adam; the
    gradients that the weights have then are not touched. `state_dict` holds all that resuming
    needs, as flat tensors.
    """

    reads = frozenset({"precision"})  # of the settings of training, as any step says

    def __init__(
        self, model: Any, combiner: nn.Module, scheme: Scheme, outer: Outer, settings: Settings
    ) -> None:
        _require_kinds(combiner, scheme, outer)
        self.model, self.combiner, self.scheme, self.outer = model, combiner, scheme, outer
        self.settings, self.tasks = settings, tuple(combiner.tasks)  # type: ignore[arg-type]
        self._require_something_to_learn()
        same_on_all_ranks(combiner)
        combiner.train(settings.dropout)
        self.optimizer = self._adam()
        self._recent = Recent(scheme.batches - 1)  # with the current one, those of the scheme
        self._share, self._since, self._meta_steps = 0.0, 0, 0
        self._said = {"meta loss": 0.0, "meta gradient": 0.0}  # of the last meta step
        self._slope_sum, self._slopes = 0.0, 0  # of the primary loss in this epoch

    def __call__(self, batch: Batch, share: float = 1.0) -> dict[str, float]:
        """Gradients of `share` of a step; returns losses, their slopes, the last meta step's
        primary loss and gradient norm, and the seconds of the one taken here, 0 if none was."""
        due = self._since >= self.settings.every and self._share == 0 and self.scheme.batches
        problem = self._problem(batch) if due else None
        spent = self._move_combiner(problem) if problem else 0.0
        self.outer.see(batch)
        self._recent.see(batch)
        facts = self._train(self._taken(batch, problem), share)
        self._count(share)
        return facts | (self._said | {"meta seconds": spent} if self.scheme.batches else {})

    def _taken(self, batch: Batch, problem: Problem | None) -> list[Tensor]:
        """Losses of the batch with their graph; a meta step may have needed them already."""
        if problem is not None and problem.here is not None:
            return problem.here()
        return losses_of(self.model, batch, self.tasks, self.settings.precision == "bf16")

    def _train(self, losses: list[Tensor], share: float) -> dict[str, float]:
        """Go backward through the melted loss in one pass, weighted by the slopes of the
        combiner."""
        tasks = self.tasks
        values = mean_over_ranks(torch.stack(losses).detach())
        melted, factors = valued(self.combiner, values)
        train_by(losses, share * factors)
        named = dict(zip(tasks, values.tolist(), strict=True))
        self._slope_sum += float(factors[tasks.index(self.model.primary)])
        self._slopes += 1
        turned = {f"slope {t}": f for t, f in zip(tasks, factors.tolist(), strict=True)}
        return {"loss": melted.item(), **named, **turned}

    def end_epoch(self) -> dict[str, float]:
        """`primary slope`: how strongly the epoch trained the loss that the model is judged by."""
        found = {"primary slope": self._slope_sum / self._slopes} if self._slopes else {}
        self._slope_sum, self._slopes = 0.0, 0
        return found

    def _count(self, share: float) -> None:
        """Add shares up to whole steps; a sum of thirds may miss 1 by rounding."""
        self._share += share
        if self._share > 1 - 1e-6:
            self._share, self._since = 0.0, self._since + 1

    def _move_combiner(self, problem: Problem) -> float:
        """Take one step of MELTR's own optimizer; return the seconds that it took beside
        training."""
        start = time.perf_counter()
        found = self.scheme.hypergradient(problem)
        for name, parameter in self.combiner.named_parameters():
            parameter.grad = found.gradient[name].to(parameter.dtype)
        limit = self.settings.clip_norm or float("inf")
        norm = float(nn.utils.clip_grad_norm_(self.combiner.parameters(), limit))
        if not math.isfinite(norm):
            raise DataError(
                f"the hypergradient of meta step {self._meta_steps} is not finite"
                f"{self._cause(problem)}; lower the rate of {self.scheme.name}, or use precision "
                "fp32"
            )
        self.optimizer.param_groups[0]["lr"] = self._rate()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self._since, self._meta_steps = 0, self._meta_steps + 1
        self._said = {"meta loss": found.loss, "meta gradient": norm}
        trained = problem.here.seconds if problem.here else 0.0
        return time.perf_counter() - start - trained

    def _cause(self, problem: Problem) -> str:
        """Says which losses are not finite, and on which batch."""
        batches = {"the training batch": problem.last(1)[0], "the batch that judges": problem.upper}
        bad = [
            f"{task} is {loss.item()} on {where}"
            for where, losses in batches.items()
            for task, loss in zip(self.tasks, losses.at(problem.weights, list), strict=True)
            if not loss.isfinite()
        ]
        return f", as {' and '.join(bad)}" if bad else ""

    def _rate(self) -> float:
        settings = self.settings
        if settings.decay_over is None:
            return settings.lr
        return settings.lr * max(0.0, 1 - self._meta_steps / settings.decay_over)

    def _problem(self, batch: Batch) -> Problem:
        """The bilevel problem at this step; too few batches at the start are used again.

        Nothing that is drawn for it is missed by training, which draws what it would without.
        """
        settings, seen = self.settings, [*self._recent.batches, batch]
        wanted, draw = self.scheme.batches, Draw(device_of(self.model))
        with draw.again():
            *earlier, _ = (seen * wanted)[-wanted:]
            lower = [*map(self._losses, earlier), self._losses(batch, draw)]
            upper = self._losses(self.outer.draw())
        return Problem(
            weights={n: w for n, w in self.model.named_parameters() if w.requires_grad},
            combiner=self.combiner,
            lower=lower,
            upper=upper,
            primary=self.model.primary,
            gamma=settings.gamma,
            regularise=settings.regularise,
            direct_term=settings.direct_term,
            along=settings.along,
            curved=settings.curved,
            here=Taken(lower[-1]),
        )

    def _losses(self, batch: Batch, draw: Draw | None = None) -> Losses:
        return Losses(self.model, batch, self.tasks, self.settings.precision, draw)

    def _require_something_to_learn(self) -> None:
        learned = any(True for _ in self.combiner.parameters())
        if learned != bool(self.scheme.batches):
            has = "has parameters" if learned else "has none"
            raise ConfigError(
                f"the combiner {has}, which does not go with the scheme {self.scheme.name}; "
                "use combiner.Total with multi-task, and a learned combiner with all others"
            )
        if primary_of(self.model) not in self.tasks:
            raise ConfigError(
                f"the model is judged by {self.model.primary!r}, which is not among the losses "
                f"{list(self.tasks)} that the combiner melts; add it to the tasks of its Config"
            )

    def _adam(self) -> torch.optim.Adam:
        learned: list[Tensor] = list(self.combiner.parameters())
        return torch.optim.Adam(
            learned or [torch.zeros(0)],  # multi-task has none, and Adam wants one
            self.settings.lr,
            weight_decay=self.settings.weight_decay,
        )

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that resuming needs, for one safetensors file."""
        slopes = (self._slope_sum, self._slopes)
        places = [self._since, self._meta_steps, *self._said.values(), *slopes]
        state = {"places": torch.tensor(places, dtype=torch.float64)}
        parts = {
            "phi": self.combiner.state_dict(),
            "adam": adam_state(self.optimizer, self.combiner.named_parameters()),
            "outer": self.outer.state_dict(),
            "recent": self._recent.state_dict(),
        }
        return state | {f"{p}/{n}": t for p, named in parts.items() for n, t in named.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on where `state_dict` was written; raises CheckpointError if it does not fit."""
        parts: dict[str, dict[str, Tensor]] = {n: {} for n in ("phi", "adam", "outer", "recent")}
        for key, tensor in state.items():
            if key != "places":
                part, name = key.split("/", 1)
                parts[part][name] = tensor
        self._load_combiner(parts["phi"], parts["adam"])
        self.outer.load_state_dict(parts["outer"])
        self._recent.load_state_dict(parts["recent"])
        since, done, loss, norm, self._slope_sum, slopes = _places(state)
        self._since, self._meta_steps, self._slopes = int(since), int(done), int(slopes)
        self._share = 0.0
        self._said = {"meta loss": loss, "meta gradient": norm}

    def _load_combiner(self, phi: Mapping[str, Tensor], adam: Mapping[str, Tensor]) -> None:
        try:
            self.combiner.load_state_dict(phi)
        except RuntimeError as error:
            raise CheckpointError(
                f"the stored state of meltr does not fit ({str(error).splitlines()[-1].strip()}); "
                "resume with the same combiner, or start anew"
            ) from error
        load_adam_state(self.optimizer, self.combiner.named_parameters(), adam)


def _places(state: Mapping[str, Tensor]) -> list[float]:
    """Counters of a step; raises CheckpointError for those of another version."""
    if (found := state["places"]).shape != (6,):
        raise CheckpointError(
            f"the stored state of meltr has {found.numel()} counters, and this version writes 6; "
            "remove state.safetensors from the folder of the run to start it anew"
        )
    return found.tolist()


def _require_kinds(combiner: nn.Module, scheme: Scheme, outer: Outer) -> None:
    """Raise ConfigError where something else is given, such as settings that are not built yet."""
    wanted: list[tuple[str, object, type, str]] = [
        (
            "combiner",
            combiner,
            nn.Module,
            "a module, such as meltr.transformer.Config(...).build()",
        ),
        ("scheme", scheme, Scheme, "one, such as meltr.schemes.aid_fp_lite.Config().build()"),
        ("outer", outer, Outer, "meltr.outer.HeldOut(epoch) or meltr.outer.Recent()"),
    ]
    for name, given, kind, right in wanted:
        if not isinstance(given, kind):
            raise ConfigError(f"the {name} of Meltr is a {type(given).__name__}; give {right}")
