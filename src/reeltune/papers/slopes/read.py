"""What MELTR learned in a run: how strongly it trained each loss, and what it makes of its size.

From the log, the slope dL_aux/dl_t and the values of every loss in every epoch (Figures 4, 5 and 6
of the paper); from the weights at the end, how the melted loss answers to one loss or to two while
the others stay at their mean (Figures 3 and 7), and how much of it a weighted sum could do as well.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from reeltune.errors import DataError, counted
from reeltune.meltr import combiner, transformer
from reeltune.models.opening.open import open_model
from reeltune.models.opening.weights import CARD
from reeltune.papers.slopes.evaluated import evaluated
from reeltune.papers.slopes.surface import Surface, surface, two_of
from reeltune.runs.learning import MELTR
from reeltune.storage.run_log import LOG
from reeltune.training.log import read_log

POINTS = 101  # of a response curve
BEYOND = 1.5  # times the largest value of the run: where a response curve ends
PER_WEIGHT = 3  # steps for each weight of a weighted sum; fewer prove nothing
AT_MOST = 500  # steps that a weighted sum is fitted to
MIDDLE = (0.1, 0.9)  # quantiles over the steps of an epoch


@dataclass(frozen=True, kw_only=True)
class Slopes:
    """dL_aux/dl_t of one loss over the steps of an epoch."""

    mean: float
    low: float  # of the middle 80 % of the steps
    high: float
    negative: float  # share of the steps in which the loss was driven up


@dataclass(frozen=True, kw_only=True)
class Range:
    """The values of one loss over the steps of an epoch."""

    least: float
    low: float  # of the middle 80 % of the steps
    high: float
    most: float


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """The steps between two validations."""

    epoch: int
    steps: int
    losses: dict[str, float]  # means
    ranges: dict[str, Range]
    slopes: dict[str, Slopes]


@dataclass(frozen=True, kw_only=True)
class Response:
    """How the melted loss responds to one loss while the others stay at their mean of the last
    epoch."""

    loss: list[float]  # from 0 to beyond the largest that the run has seen
    melted: list[float]
    slope: list[float]
    seen: tuple[float, float]  # middle 80 % of the values of the last epoch


@dataclass(frozen=True, kw_only=True)
class WeightedSum:
    """The weighted sum nearest to the melted loss, by least squares over steps of the run.

    Of a MELTR that adds to the plain sum (`residual`), `learned` is what it adds; else all of it.
    """

    weights: dict[str, float]  # for the whole of the melted loss
    constant: float
    explained: float  # share of the variance of `learned`; 1: MELTR is a weighted sum
    learned: list[float]  # of each step, by the weights at the end of the run
    fitted: list[float]  # what the weighted sum has for it


@dataclass(frozen=True, kw_only=True)
class Melted:
    """Everything that MELTR learned in a run.

    What is absent is `left_out`, where it says why, by the name of its plot.
    """

    run: str
    tasks: tuple[str, ...]
    primary: str
    residual: bool  # whether MELTR adds to the plain sum
    epochs: list[Epoch]
    response: dict[str, Response]
    weighted_sum: WeightedSum | None
    surface: Surface | None
    left_out: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """For JSON, with the sentences."""
        return {**asdict(self), "sentences": self.sentences()}

    def sentences(self) -> list[str]:
        """Sentences that a reader should know first."""
        last = self.epochs[-1].slopes
        strongest, weakest = (choose(last, key=lambda t: last[t].mean) for choose in (max, min))
        said = [
            self._primary_sentence(),
            f"In the last epoch {strongest} was trained most strongly "
            f"({last[strongest].mean:.3g}) and {weakest} least ({last[weakest].mean:.3g}).",
        ]
        if self.weighted_sum is not None:
            said.append(
                f"Over the run, a weighted sum of the losses explains "
                f"{100 * self.weighted_sum.explained:.1f} % of the variance of {self._learned()}."
            )
        return [*said, *(f"There is no {plot}: {why}." for plot, why in self.left_out.items())]

    def _learned(self) -> str:
        return "what MELTR adds to their sum" if self.residual else "the melted loss"

    def _primary_sentence(self) -> str:
        wrong = [one for one in self.epochs if one.slopes[self.primary].mean < 0]
        if not wrong:
            return f"The slope of {self.primary}, the primary loss, was positive in every epoch."
        worst = min(wrong, key=lambda one: one.slopes[self.primary].mean)
        return (
            f"The slope of {self.primary}, the primary loss, was negative in {len(wrong)} of "
            f"{counted(len(self.epochs), 'epoch')} ({worst.slopes[self.primary].mean:.3g} in epoch "
            f"{worst.epoch}): training drove it up there; start from the sum and stay "
            "near it with meltr.sizes.residual=true and meltr.step.direct_term=true, or lower "
            "meltr.step.lr."
        )


def melted(run: Path, over: Sequence[str] = ()) -> Melted:
    """Read the folder of a run, of a recipe or of one's own loop; the surface is `over` two losses.

    Errors: `DataError` if it has no log, or its losses were not melted; `ConfigError` for `over`.
    """
    parts = epochs_of(run)
    tasks = _tasks(parts[0][0], run)
    epochs = [_epoch(number, part, tasks) for number, part in enumerate(parts)]
    seen = np.array([[step[task] for task in tasks] for part in parts for step in part])
    last, primary = seen[-len(parts[-1]) :], _primary(run)
    stored = run / MELTR
    melts = combiner.load(stored, tasks).eval().double() if stored.is_file() else None
    left_out = _left_out(melts is not None, len(tasks), len(seen))
    order = sorted(tasks, key=lambda task: -epochs[-1].slopes[task].mean)
    chosen = two_of(tasks, primary, order, over) if over or len(tasks) > 1 else ()
    return Melted(
        run=str(run),
        tasks=tasks,
        primary=primary,
        residual=melts is not None and _adds(melts),
        epochs=epochs,
        response=responses(melts, seen, last) if melts else {},
        weighted_sum=weighted_sum(melts, seen)
        if melts and "weighted-sum.png" not in left_out
        else None,
        surface=surface(melts, seen, last, chosen)
        if melts and "surface.png" not in left_out
        else None,
        left_out=left_out,
    )


def _left_out(learned: bool, tasks: int, steps: int) -> dict[str, str]:
    """Why a plot is missing, by its name."""
    if not learned:
        why = f"it shows what MELTR learned, and the folder has no {MELTR}"
        return dict.fromkeys(("response.png", "surface.png", "weighted-sum.png"), why)
    found, needed = {}, PER_WEIGHT * (tasks + 1)
    if tasks < 2:
        found["surface.png"] = "it is over two losses, and the run has one"
    if steps < needed:
        found["weighted-sum.png"] = f"it takes {needed} steps to tell, and the run has {steps}"
    return found


def _primary(run: Path) -> str:
    """The primary loss, as the log of one's own loop says it, or else the model beside it."""
    named = next((line["primary"] for line in read_log(run) if "primary" in line), None)
    if named is not None:
        return str(named)
    if not (run / CARD).is_file():
        raise DataError(
            f"{run / LOG} does not say which loss is the primary one, and there is no model beside "
            "it; call melt.log(folder) before the loop and at the end of each epoch"
        )
    model: Any = open_model(str(run), "cpu")
    return str(model.primary)


def epochs_of(run: Path) -> list[list[dict[str, Any]]]:
    """Steps of the log, by epoch; those after the last validation are an epoch of their own."""
    parts: list[list[dict[str, Any]]] = [[]]
    for line in read_log(run):
        if line["kind"] == "step":
            parts[-1].append(line)
        elif parts[-1]:
            parts.append([])
    found = [part for part in parts if part]
    if not found:
        raise DataError(
            f"{run} has no steps in {LOG}; give the folder of a run, such as "
            "runs/toybox/univl-meltr/seed0"
        )
    return found


def _tasks(step: dict[str, Any], run: Path) -> tuple[str, ...]:
    named = tuple(name.removeprefix("slope ") for name in step if name.startswith("slope "))
    if not named:
        raise DataError(
            f"{run / LOG} has no slopes, since the recipe melts no losses; train one that does, "
            "such as toybox/univl-meltr"
        )
    return named


def _epoch(number: int, steps: Sequence[dict[str, Any]], tasks: Sequence[str]) -> Epoch:
    return Epoch(
        epoch=number,
        steps=len(steps),
        losses={task: float(np.mean([step[task] for step in steps])) for task in tasks},
        ranges={task: _range(np.array([step[task] for step in steps])) for task in tasks},
        slopes={task: _slopes(np.array([s[f"slope {task}"] for s in steps])) for task in tasks},
    )


def _range(values: Float[np.ndarray, " N"]) -> Range:
    low, high = (float(one) for one in np.quantile(values, MIDDLE))
    return Range(least=float(values.min()), low=low, high=high, most=float(values.max()))


def _slopes(values: Float[np.ndarray, " N"]) -> Slopes:
    low, high = (float(one) for one in np.quantile(values, MIDDLE))
    negative = float((values < 0).mean())
    return Slopes(mean=float(values.mean()), low=low, high=high, negative=negative)


def responses(
    melts: combiner.Learned, seen: Float[np.ndarray, "N T"], last: Float[np.ndarray, "M T"]
) -> dict[str, Response]:
    """The response to each loss; `seen` are the losses of the run, `last` those of its last
    epoch."""
    found = {}
    for place, task in enumerate(melts.tasks):
        grid = np.linspace(0, BEYOND * seen[:, place].max(), POINTS)
        losses = np.tile(last.mean(axis=0), (POINTS, 1))
        losses[:, place] = grid
        values, slopes = evaluated(melts, losses)
        low, high = (float(one) for one in np.quantile(last[:, place], MIDDLE))
        found[task] = Response(
            loss=grid.tolist(),
            melted=values.tolist(),
            slope=slopes[:, place].tolist(),
            seen=(low, high),
        )
    return found


def weighted_sum(melts: combiner.Learned, seen: Float[np.ndarray, "N T"]) -> WeightedSum:
    """The best weighted sum for at most `AT_MOST` steps, spread evenly over the run."""
    places = np.unique(np.linspace(0, len(seen) - 1, AT_MOST).round().astype(int))
    losses = seen[places]
    start = 1.0 if _adds(melts) else 0.0  # weight of every loss that was not learned
    learned = evaluated(melts, losses)[0] - start * losses.sum(axis=1)
    with_one = np.column_stack([losses, np.ones(len(losses))])
    solution = np.linalg.lstsq(with_one, learned, rcond=None)[0]
    fitted = with_one @ solution
    varied = float(((learned - learned.mean()) ** 2).sum())
    missed = float(((learned - fitted) ** 2).sum())
    return WeightedSum(
        weights=dict(zip(melts.tasks, (start + solution[:-1]).tolist(), strict=True)),
        constant=float(solution[-1]),
        explained=1 - missed / varied if varied > 0 else 1.0,
        learned=learned.tolist(),
        fitted=fitted.tolist(),
    )


def _adds(melts: combiner.Learned) -> bool:
    return isinstance(melts.config, transformer.Config) and melts.config.residual
