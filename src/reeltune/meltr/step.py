"""The bilevel training step of the one loop: weights by the melted loss, MELTR by the primary."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from reeltune.errors import CheckpointError, ConfigError
from reeltune.meltr.combiner import valued
from reeltune.meltr.hypergradient import Problem
from reeltune.meltr.losses import (
    Function,
    Losses,
    Taken,
    losses_of,
    lowered_to,
    train_by,
    unwrapped,
)
from reeltune.meltr.outer import Outer, Recent
from reeltune.meltr.ranks import mean_over_ranks, same_on_all_ranks
from reeltune.meltr.scheme import Scheme
from reeltune.meltr.settings import Settings
from reeltune.meltr.teacher import Teacher
from reeltune.nn.draw import Draw
from reeltune.nn.tree import tensor_text, text_tensor
from reeltune.objectives.named import device_of, own_losses, primary_alone, primary_of


class Meltr:
    """A training step, as `training.step.Step`, for any model that names its losses.

    Every call adds the gradient of the melted loss to the weights' own. After `every` steps of
    the optimizer that owns the weights, the next call first moves MELTR by its own Adam; the
    gradients that the weights have then are not touched. In a loop that goes backward itself,
    `melted` is the loss, and `update` does the rest. `state_dict` holds all that resuming needs,
    as flat tensors.

    Losses are read by `losses` of a model and a batch, and judged by the one called `primary`;
    by default these are the model's own. Where the regulariser does not read all losses of the
    batch that judges, `alone` is called for the primary one there: by default a model's own
    `primary_loss`, if it has one.
    """

    reads = frozenset({"precision"})  # of the settings of training, as any step says

    def __init__(
        self,
        model: Any,
        combiner: nn.Module,
        scheme: Scheme,
        outer: Outer,
        settings: Settings,
        losses: Function = own_losses,
        primary: str | None = None,
        alone: Function | None = None,
    ) -> None:
        _require_kinds(combiner, scheme, outer)
        self.model, self.combiner, self.scheme, self.outer = model, combiner, scheme, outer
        self.settings, self.tasks = settings, tuple(combiner.tasks)  # type: ignore[arg-type]
        self.losses, self.primary = losses, primary_of(model) if primary is None else primary
        self.alone = alone or _own_alone(model, losses, self.primary)
        self._require_something_to_learn()
        same_on_all_ranks(combiner)
        combiner.train(settings.dropout)
        self.teacher = Teacher(combiner, scheme, settings)
        self.facts: dict[str, float] = {}  # losses and slopes of the last melting
        self._recent = Recent(scheme.batches - 1)  # with the current one, those of the scheme
        self._share, self._since = 0.0, 0
        self._slope_sum, self._slopes = 0.0, 0  # of the primary loss in this epoch

    def __call__(self, batch: Any, share: float = 1.0) -> dict[str, float]:
        """Gradients of `share` of a step; returns losses, their slopes, the last meta step's
        primary loss and gradient norm, and the seconds of the one taken here, 0 if none was.

        Where these are not finite, nothing was added and the batch is not remembered."""
        lowered = lowered_to(self.settings.precision, self.model)
        with self._full():
            problem = self._problem(batch, lowered, shared=True) if self._is_due() else None
            spent = self._teach(problem) if problem else 0.0
            if problem is not None and problem.here is not None:
                losses = problem.here()
            else:
                losses = losses_of(self.model, batch, self.tasks, self.losses, lowered)
            _, slopes = self._weigh(losses)
            if not self.is_finite():  # the caller refuses it, and may go on without the batch
                return self.facts | self._said(spent)
            train_by(losses, share * slopes)
        return self.passed(batch, share, spent)

    def melted(self, losses: list[Tensor]) -> Tensor:
        """The melted loss of losses in the order of `tasks`; its gradient weights theirs by the
        slopes of the combiner, in one pass. With several processes both are of the mean losses."""
        value, slopes = self._weigh(losses)
        pulled = [
            slope.to(loss.dtype) * (loss - loss.detach())
            for loss, slope in zip(losses, slopes, strict=True)
            if loss.requires_grad
        ]
        return value + torch.stack(pulled).sum() if pulled else value

    def _weigh(self, losses: list[Tensor]) -> tuple[Tensor, Tensor]:
        """The melted loss and the slopes at the mean losses, which are kept as `facts`."""
        with self._full():
            values = mean_over_ranks(torch.stack(losses).detach())
            value, factors = valued(self.combiner, values)
        named = zip(self.tasks, values.tolist(), strict=True)
        turned = zip(self.tasks, factors.tolist(), strict=True)
        self.facts = {"loss": value.item(), **dict(named), **{f"slope {t}": f for t, f in turned}}
        if self.is_finite():
            self._slope_sum += self.facts[f"slope {self.primary}"]
            self._slopes += 1
        return value, factors

    def is_finite(self) -> bool:
        """Whether the last losses, their slopes and the melted loss are finite."""
        return all(map(math.isfinite, self.facts.values()))

    def passed(self, batch: Any, share: float = 1.0, spent: float = 0.0) -> dict[str, float]:
        """Be shown a batch that was trained on, which was `share` of a step of the optimizer;
        returns what `__call__` does. `spent` are the seconds of a meta step that was taken."""
        self._count(share)
        self._see(batch)
        return self.facts | self._said(spent)

    def update(self, batch: Any, share: float = 1.0) -> dict[str, float]:
        """As `passed`, and move MELTR if that is due; the gradients of the weights stay."""
        lowered, spent = lowered_to(self.settings.precision, self.model), 0.0
        self._count(share)
        if self._is_due():
            with self._full():
                spent = self._teach(self._problem(batch, lowered, shared=False))
        self._see(batch)
        return self.facts | self._said(spent)

    def end_epoch(self) -> dict[str, float]:
        """`primary slope`: how strongly the epoch trained the loss that the model is judged by."""
        found = {"primary slope": self._slope_sum / self._slopes} if self._slopes else {}
        self._slope_sum, self._slopes = 0.0, 0
        return found

    def _full(self) -> torch.autocast:
        """MELTR is in full precision, whatever the model runs in."""
        return torch.autocast(device_of(self.model).type, enabled=False)

    def _is_due(self) -> bool:
        whole = self._share == 0
        return whole and self._since >= self.settings.every and self.scheme.batches > 0

    def _teach(self, problem: Problem) -> float:
        self._since = 0
        return self.teacher(problem)

    def _said(self, spent: float) -> dict[str, float]:
        return self.teacher.said | {"meta seconds": spent} if self.scheme.batches else {}

    def _see(self, batch: Any) -> None:
        self.outer.see(batch)
        self._recent.see(batch)

    def _count(self, share: float) -> None:
        """Add shares up to whole steps; a sum of thirds may miss 1 by rounding."""
        self._share += share
        if self._share > 1 - 1e-6:
            self._share, self._since = 0.0, self._since + 1

    def _problem(self, batch: Any, lowered: torch.dtype | None = None, *, shared: bool) -> Problem:
        """The bilevel problem at this step; too few batches at the start are used again.

        Nothing that is drawn for it is missed by training, which draws what it would without. It
        is `shared` where training goes through the batch next, at the same weights.
        """
        settings, seen = self.settings, [*self._recent.batches(batch), batch]
        wanted, draw = self.scheme.batches, Draw(device_of(self.model))
        with draw.again():
            *earlier, _ = (seen * wanted)[-wanted:]
            lower = [self._losses(one, lowered) for one in earlier]
            lower.append(self._losses(batch, lowered, draw))
            upper = self._judging(self.outer.draw(batch), lowered)
        weights = unwrapped(self.model).named_parameters()
        return Problem(
            weights={n: w for n, w in weights if w.requires_grad},
            combiner=self.combiner,
            lower=lower,
            upper=upper,
            primary=self.primary,
            gamma=settings.gamma,
            regularise=settings.regularise,
            direct_term=settings.direct_term,
            along=settings.along,
            curved=settings.curved,
            here=Taken(lower[-1]) if shared else None,
        )

    def _losses(self, batch: Any, lowered: torch.dtype | None, draw: Draw | None = None) -> Losses:
        return Losses(self.model, batch, self.tasks, lowered, draw, self.losses)

    def _judging(self, batch: Any, lowered: torch.dtype | None) -> Losses:
        """What is read of the batch that judges: all losses where the regulariser is taken on it,
        and the primary loss alone otherwise."""
        if self.alone is None or reads_all(self.settings):
            return self._losses(batch, lowered)
        return Losses(self.model, batch, (self.primary,), lowered, function=self.alone)

    def _require_something_to_learn(self) -> None:
        learned = any(True for _ in self.combiner.parameters())
        if learned != bool(self.scheme.batches):
            has = "has parameters" if learned else "has none"
            raise ConfigError(
                f"the combiner {has}, which does not go with the scheme {self.scheme.name}; "
                "use combiner.Total with multi-task, and a learned combiner with all others"
            )
        if self.primary not in self.tasks:
            raise ConfigError(
                f"the model is judged by {self.primary!r}, which is not among the losses "
                f"{list(self.tasks)} that the combiner melts; add it to the tasks of its Config"
            )

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that resuming needs, for one safetensors file."""
        said, slopes = self.teacher.said.values(), (self._slope_sum, self._slopes)
        places = [self._since, self.teacher.steps, *said, *slopes]
        state = {
            "places": torch.tensor(places, dtype=torch.float64),
            "tasks": text_tensor("\n".join(self.tasks)),
        }
        parts = {"outer": self.outer.state_dict(), "recent": self._recent.state_dict()}
        beside = {f"{p}/{n}": t for p, named in parts.items() for n, t in named.items()}
        return state | self.teacher.state_dict() | beside

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on where `state_dict` was written; raises CheckpointError if it does not fit."""
        if (stored := tasks_in(state)) != self.tasks:
            raise CheckpointError(
                f"the stored state of meltr melts {list(stored)}, and these losses are "
                f"{list(self.tasks)}; resume with the same losses in the same order, or start anew"
            )
        self.teacher.load_state_dict(state)
        self.outer.load_state_dict(_below("outer/", state))
        self._recent.load_state_dict(_below("recent/", state))
        since, done, loss, norm, self._slope_sum, slopes = _places(state)
        self._since, self.teacher.steps, self._slopes = int(since), int(done), int(slopes)
        self._share = 0.0
        self.teacher.said = {"meta loss": loss, "meta gradient": norm}


def reads_all(settings: Settings) -> bool:
    """Whether all losses of the batch that judges are read: the regulariser is taken on it."""
    return settings.gamma > 0 and settings.regularise == "upper"


def _own_alone(model: Any, losses: Function, primary: str) -> Function | None:
    """The model's own `primary_loss`, where it is the one of these losses."""
    own = losses is own_losses and getattr(model, "primary", None) == primary
    return primary_alone if own and callable(getattr(model, "primary_loss", None)) else None


def tasks_in(state: Mapping[str, Tensor]) -> tuple[str, ...]:
    """The names of the losses in a state of a step; raises CheckpointError where it has none."""
    if "tasks" not in state:
        raise CheckpointError(
            "the stored state of meltr names no losses, as those of other versions; "
            "remove state.safetensors from the folder of the run to start it anew"
        )
    return tuple(tensor_text(state["tasks"]).split("\n"))


def _below(start: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(start): t for name, t in state.items() if name.startswith(start)}


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
