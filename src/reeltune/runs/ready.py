"""Finds what is wrong with a run before any of its clips is read."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from reeltune.errors import ConfigError, DataError, counted
from reeltune.evaluation.comparison import FEWEST
from reeltune.meltr.melting import Melting
from reeltune.models.opening.material import without_weights
from reeltune.runs.bilevel import require_combiner
from reeltune.runs.step import order_of, settings_read
from reeltune.runs.weighing import require_weighting
from reeltune.tasks.finding.judge import (
    chosen_by,
    finer_of,
    highest_of,
    require_judged_by,
    require_not_asked_in_vain,
)
from reeltune.training.loop import Outcome
from reeltune.training.schedule import kept_of_equals
from reeltune.training.settings import OF_STEPS, Settings, require_read
from reeltune.types import LeftOut, Split

Learned = tuple[Split, Split | None]  # that of training, and that of validation where there is one


def require_learnable(
    config: Any, at_hand: bool, learned: Learned, settings: Settings, melting: Melting | None
) -> None:
    """Check settings and batch of a training of the model that `config` builds.

    A CLIP may not be `at_hand`: until it is open, it is taken to read all settings of a step.

    Errors: `ConfigError` and `DataError`, as they would come of the training itself, but later.
    """
    train, val = learned
    require_not_asked_in_vain(config, train)
    model = without_weights(config) if at_hand else None
    if melting is not None:
        require_combiner(melting, model)
    elif model is not None:
        require_weighting(settings, model)
    reads = OF_STEPS if model is None else settings_read(model, settings, melting is not None)
    require_read(settings, reads, val is not None)
    if val is not None:
        require_judged_by(settings.judged_by or chosen_by(config), config, val.videos)
    require_wrong_answers(learned, settings, melting)
    order_of(train.pairs, settings)


def require_wrong_answers(
    learned: Learned, settings: Settings, melting: Melting | None = None
) -> None:
    """Raise if a batch would hold a single video, for which there is no wrong answer."""
    train, val = learned
    if settings.batch == 1:
        raise ConfigError(
            "training.batch is 1, and a batch of one pair has no wrong answers to learn from; give "
            "--set training.batch=2 or more"
        )
    if train.videos == 1:
        raise DataError(
            f"{train.pairs[0].video} is the only video to train on, and one has no wrong answers "
            "to learn from; give two or more"
        )
    _require_held_out(val, settings, melting)


def _require_held_out(val: Split | None, settings: Settings, melting: Melting | None) -> None:
    """Raise where weights of the losses are judged by a validation split that cannot do so."""
    if melting is not None:
        judged = melting.outer == "held-out" and melting.built_scheme().batches > 0
        named, instead = "meltr.outer is held-out", "--set meltr.outer=recent"
    else:
        weighting = settings.weighting(("one", "another"))
        judged = weighting is not None and weighting.held_out
        named, instead = f"training.combine is {settings.combine}", "another weighting"
    if judged and val is None:
        raise ConfigError(
            f"{named}, and there is no validation split to judge by; give {instead}, or hold "
            "videos out"
        )
    if judged and val is not None and val.videos == 1:
        raise DataError(
            f"{val.pairs[0].video} is the only video of the validation split, by which weights of "
            f"losses are judged, and one has no wrong answers; give two or more, or {instead}"
        )


def left_out_of(
    model: Any, learned: Learned, settings: Settings, outcome: Outcome
) -> dict[str, tuple[LeftOut, ...]]:
    """What training and validation lack, by split; for training also what fills no batch, and for
    validation why it hardly chose the epoch that was kept, where it hardly did."""
    train_split, val = learned
    unfilled = order_of(train_split.pairs, settings).left_out
    train, note = (*train_split.left_out, *unfilled), partial(_note, "validation split")
    if val is None:
        why = note("there is none, so the weights of the last epoch are kept")
        return {"train": train, "val": (why,)}
    kept = kept_of_equals(settings.schedule, finer_of(model))
    name = settings.judged_by or chosen_by(model)
    top = highest_of(name, model)
    reached = f"{name} reached {top:g}" if outcome.best == top else ""
    notes = map(note, _why_it_hardly_chose(val, reached, kept))
    return {"train": train, "val": (*val.left_out, *notes)}


def _note(what: str, reason: str) -> LeftOut:
    return LeftOut(what=what, reason=reason, count=1, missing=False)


def _why_it_hardly_chose(val: Split, reached: str, kept: str) -> Iterator[str]:
    """The reasons: too few videos to tell epochs apart beyond chance, or a figure that has
    `reached` its top, where words say which epoch is `kept`."""
    if val.videos < FEWEST:
        yield (
            f"it has {counted(val.videos, 'video')}, and on fewer than {FEWEST} no "
            "difference between epochs is beyond chance"
        )
    if reached:
        yield (
            f"{reached}, the highest it can be, so it cannot choose among the epochs that reached "
            f"it, of which {kept} is kept"
        )
