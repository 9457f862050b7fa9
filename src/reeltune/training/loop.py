"""The only training loop."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from reeltune.batches.loader import Loader
from reeltune.errors import ConfigError, DataError
from reeltune.ranks.ranks import everyone, shared_batch
from reeltune.training.checkpoint import Place, State, load_state, state_of, step_state
from reeltune.training.distributed import (
    average_gradients,
    draw_alike_never,
    is_of_others,
    same_start,
)
from reeltune.training.interrupts import GRACE, Interrupts
from reeltune.training.log import Log, Watcher
from reeltune.training.optim import learning_rate, optimizer_of, trainable
from reeltune.training.schedule import Score, after_epoch, is_better
from reeltune.training.settings import Settings, require_read
from reeltune.training.shards import clip, is_part, shard, unshard
from reeltune.training.step import Following, Reporting, Stateful, Step
from reeltune.types import Batch

Validate = Callable[[], dict[str, float]]  # figures of the held-out split


@dataclass(frozen=True, kw_only=True)
class Run:
    """Everything a run needs; `identity` names it, so that another one is never resumed."""

    model: nn.Module
    step: Step
    loader: Loader
    settings: Settings
    folder: Path
    identity: str
    validate: Validate | None = None
    finer: str | None = None  # a figure of it that decides between epochs of equal ones
    watcher: Watcher | None = None
    tensorboard: bool = False
    leads: bool = True  # whether this process writes files: the first of several


@dataclass
class Outcome:
    """How a run ended; the model holds the weights of the best epoch."""

    steps: int
    best_epoch: int
    best: float
    seconds: float
    resumed_at: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


def train(run: Run) -> Outcome:
    """Train from where `run.folder` stopped, or from the start.

    On Ctrl-C the step is finished and the state written before KeyboardInterrupt goes on. A step or
    validation that takes longer than a second is broken off, and the state before it written. On
    SIGKILL at most `save_minutes` of work are lost. Resumed, it gives the same numbers as a run
    that was left alone.
    """
    run.folder.mkdir(parents=True, exist_ok=True)
    return _Training(run).go()


class _Training:
    """The state of a run while it goes on."""

    def __init__(self, run: Run) -> None:
        require_read(run.settings, run.step.reads, run.validate is not None)
        self.run, self.ranks = run, everyone()
        same_start(run.model.parameters())  # frozen ones too: a base of random weights
        if run.settings.shard:
            shard(run.model)
        self.weights = trainable(run.model)
        # What a state holds: the statistics of a batch norm are learned as well.
        self.learned: dict[str, Tensor] = {**self.weights, **dict(run.model.named_buffers())}
        self.optimizer = optimizer_of(run.model, run.settings)
        torch.manual_seed(run.settings.seed)
        self.per_epoch = run.loader.order.batches // run.settings.accumulate
        if self.per_epoch == 0:
            raise DataError(
                f"an epoch has too few batches for a step, {run.loader.order.batches} where it "
                f"takes {run.settings.accumulate}; lower "
                "--set training.accumulate or --set training.batch"
            )
        self.steps = self.per_epoch * run.settings.epochs
        found = load_state(run.folder, run.identity, self.learned, self.optimizer)
        self.place, self.best = found or (Place(run.identity), {})
        if found and isinstance(run.step, Stateful):
            with shared_batch():
                run.step.load_state_dict(step_state(run.folder))
        self.resumed_at, self.saved_at = self.place.step, time.monotonic()
        self.history: list[dict[str, float]] = []
        self.log: Log | None = None
        self.slowest = 0.0  # s, of the steps so far
        self.before: State | None = None  # what has begun, if it may take longer than people wait

    def go(self) -> Outcome:
        run, place = self.run, self.place
        if run.leads:
            self.log = Log(run.folder, place.step, place.epoch, run.tensorboard)
        if run.watcher:
            run.watcher.begin(place.step, self.steps)
        try:
            with Interrupts() as self.interrupts:
                while place.epoch < run.settings.epochs and not self._has_lost_patience():
                    self._epoch()
        except (KeyboardInterrupt, RuntimeError) as error:
            stopped = isinstance(error, KeyboardInterrupt)
            if not stopped and not (self.interrupts.came and is_of_others(error)):
                raise
            if self.before is not None:
                self.before.write(run.folder)
            raise KeyboardInterrupt from error
        finally:
            if self.log:
                self.log.close()
        self._take_best()
        if run.settings.shard:
            unshard(run.model)
        return Outcome(
            place.step,
            place.best_epoch,
            place.best.figure,
            place.seconds,
            self.resumed_at,
            self.history,
        )

    def _epoch(self) -> None:
        run, place = self.run, self.place
        run.model.train()
        gathered = run.settings.accumulate
        batches = run.loader.epoch(place.epoch, place.batch)
        start = time.monotonic()
        facts: list[dict[str, float]] = []
        for batch in batches:
            if place.batch >= self.per_epoch * gathered:
                break
            if place.batch % gathered == 0:
                self.before = self._state() if self.slowest > GRACE / 2 else None
            facts.append(self._gradients(batch))
            place.batch += 1
            if place.batch % gathered == 0:
                size = gathered * run.settings.batch
                place.seconds += time.monotonic() - start
                self.slowest = max(self.slowest, time.monotonic() - start)
                self._update(facts, size / (time.monotonic() - start))
                start, facts = time.monotonic(), []
        self.before = self._state()
        self._validate()
        place.epoch, place.batch = place.epoch + 1, 0
        self._save()
        if self.ranks.highest(self.interrupts.came):
            raise KeyboardInterrupt

    def _gradients(self, batch: Batch) -> dict[str, float]:
        """Add the gradients of a batch to the weights' own; returns the means over processes of
        what the step says."""
        run, place = self.run, self.place
        draw_alike_never(run.settings.seed, place.epoch, place.batch, self.ranks)
        with shared_batch():
            said = run.step(batch, 1 / run.settings.accumulate)
        return self._finite(self.ranks.mean_figures(said))

    def _update(self, facts: list[dict[str, float]], clips_per_second: float) -> None:
        """One optimizer step from the gradients of its batches."""
        settings, place = self.run.settings, self.place
        average_gradients(weight for weight in self.weights.values() if not is_part(weight))
        rates = self._set_rates()
        norm = clip(self.weights.values(), settings.clip_norm or float("inf"))
        if not norm.isfinite():
            raise DataError(
                f"the gradient of step {place.step + 1} is not finite at a learning rate of "
                f"{rates['lr']:.3g}; lower it where the command takes settings, by --set "
                "training.lr, or use --set training.precision=fp32"
            )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if isinstance(self.run.step, Following):
            self.run.step.updated()
        place.step += 1
        mean = {name: sum(fact[name] for fact in facts) / len(facts) for name in facts[0]}
        said = {**mean, **rates, "gradient": float(norm), "clips/s": clips_per_second}
        if self.log:
            self.log.write("step", place.step, said)
        if self.run.watcher:
            self.run.watcher.step(said)
        due = time.monotonic() - self.saved_at > 60 * settings.save_minutes
        agreed = self.ranks.highest_of([self.interrupts.came, due, self.slowest])
        stopping, due, self.slowest = bool(agreed[0]), bool(agreed[1]), agreed[2]
        if stopping or due:
            self._save()
        if stopping:
            raise KeyboardInterrupt

    def _finite(self, facts: dict[str, float]) -> dict[str, float]:
        """The figures of a step; raises DataError that names the first loss that is not finite."""
        bad = {name: value for name, value in facts.items() if not math.isfinite(value)}
        if bad:
            name = next((name for name in bad if name != "loss"), "loss")
            raise DataError(
                f"the loss {name} of step {self.place.step + 1} is {bad[name]}; look for what is "
                "not finite in the batch, or, where the command takes settings, lower --set "
                "training.lr or use --set training.precision=fp32"
            )
        return facts

    def _set_rates(self) -> dict[str, float]:
        """Give each group of weights its learning rate; returns them as the log calls them."""
        place, groups = self.place, self.optimizer.param_groups
        for group in groups:
            rate = learning_rate(place.step, self.steps, self.run.settings, group["peak"])
            group["lr"] = place.trend.factor * rate
        return {f"lr {group['called']}".rstrip(): group["lr"] for group in groups}

    def _validate(self) -> None:
        run, place = self.run, self.place
        said = run.step.end_epoch() if isinstance(run.step, Reporting) else {}
        found = {"epoch": float(place.epoch), **said}
        if run.validate is not None:
            run.model.eval()
            figures = self.ranks.figures_of_first(run.validate())
            found |= figures
            score = self._judge(figures)
        else:  # the last is best
            score = Score(found["epoch"])
        improved = is_better(run.settings.schedule, score, place.best)
        if improved:
            place.best, place.best_epoch = score, place.epoch
            self.best = {name: w.detach().clone() for name, w in self.learned.items()}
        if after_epoch(run.settings.schedule, place.trend, improved):
            self._take_best()
        self.history.append(found)
        if self.log:
            self.log.write("epoch", place.step, found)
        if run.watcher:
            run.watcher.epoch(found)

    def _judge(self, found: dict[str, float]) -> Score:
        """How good an epoch was, by the figures that validation found."""
        name = self.run.settings.judged_by or next(iter(found), "the first figure")
        if name not in found:
            raise ConfigError(
                f"epochs are judged by {name!r}, which validation does not give; "
                f"give --set training.judged_by one of {', '.join(found)}"
            )
        if not math.isfinite(found[name]):
            raise DataError(
                f"{name} of epoch {self.place.epoch} is {found[name]}, which no epoch can be "
                "judged by; look at the scores of the held-out split"
            )
        return Score(found[name], found.get(self.run.finer or "", 0.0))

    def _has_lost_patience(self) -> bool:
        patience = self.run.settings.patience
        return patience is not None and self.place.epoch - 1 - self.place.best_epoch >= patience

    def _take_best(self) -> None:
        with torch.no_grad():
            for name, weight in self.learned.items():
                weight.copy_(self.best[name])
        self.run.model.eval()

    def _state(self) -> State | None:
        """What a resumed run goes on from, for the process that writes it; all must ask for it."""
        with shared_batch():
            step = self.run.step.state_dict() if isinstance(self.run.step, Stateful) else None
        if not self.run.leads and not self.run.settings.shard:
            return None
        state = state_of(self.place, self.learned, self.optimizer, self.best, step)
        return state if self.run.leads else None

    def _save(self) -> None:
        self.interrupts.settle()
        self.before = self._state()
        if self.before is not None:
            self.before.write(self.run.folder)
        self.before, self.saved_at = None, time.monotonic()
