"""What can be known to be wrong with a run before any clip of it is read."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch

from reeltune.batches.loader import Order
from reeltune.errors import ConfigError, DataError
from reeltune.meltr.step import Meltr
from reeltune.models._contrast import is_contrasted
from reeltune.recipes.read import Melting, Recipe
from reeltune.runs.bilevel import scheme_of
from reeltune.runs.clips import clips_there
from reeltune.tasks.judge import require_judged_by
from reeltune.training import distributed
from reeltune.training.settings import OF_STEPS, Settings, require_read
from reeltune.training.step import Contrast, Sum
from reeltune.types import LeftOut, Pair, Split

FEW = 5  # validation videos below which a remark is made; our choice, no measured bound
Learned = tuple[Split, Split | None]  # that of training, and that of validation where there is one


def require_ready(recipe: Recipe, options: Any, learned: Learned | None) -> None:
    """Check settings, batch and stored features; `learned` is None where nothing is trained.

    Errors: `ConfigError` and `DataError`, as they would come of the run itself, but later.
    """
    recipe.model_config_of()
    if learned is not None:
        model, val = _shape_of(recipe), learned[1]
        reads = OF_STEPS if model is None else kind_of_step(model, recipe.meltr).reads
        require_read(recipe.training, reads, val is not None)
        if val is not None:
            writes = getattr(model, "writes", False)
            require_judged_by(recipe.training.judged_by, writes, val.videos)
        require_wrong_answers(learned, recipe.training, recipe.meltr)
        order_of(learned[0].pairs, recipe.training)
    if recipe.features is not None:
        clips_there(recipe, options)


def require_wrong_answers(
    learned: Learned, settings: Settings, melting: Melting | None = None
) -> None:
    """Raise where a batch would hold one video alone, beside which nothing is wrong."""
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
    if melting is None or melting.outer != "held-out" or not scheme_of(melting).batches:
        return
    if val is None:
        raise ConfigError(
            "meltr.outer is held-out, and there is no validation split to judge by; give "
            "--set meltr.outer=recent, or hold videos out"
        )
    if val.videos == 1:
        raise DataError(
            f"{val.pairs[0].video} is the only video of the validation split, by which MELTR is "
            "judged, and one has no wrong answers; give two or more, or --set meltr.outer=recent"
        )


def kind_of_step(model: Any, melting: Melting | None) -> type[Meltr | Contrast | Sum]:
    """Which step trains a model."""
    if melting is not None:
        return Meltr
    return Contrast if is_contrasted(model) else Sum


def order_of(pairs: Sequence[Pair], settings: Settings) -> Order:
    """Batches for this process of all; DataError where the pairs fill none."""
    rank, world = distributed.start()
    return Order(
        pairs,
        settings.batch,
        settings.seed,
        settings.every_caption,
        rank,
        world,
        settings.neighbours,
    )


def left_out_of(learned: Learned, settings: Settings) -> dict[str, tuple[LeftOut, ...]]:
    """What training and validation lack, by split; for training also what fills no batch."""
    train_split, val = learned
    unfilled = order_of(train_split.pairs, settings).left_out
    return {"train": (*train_split.left_out, *unfilled), "val": lacks_of(val)}


def lacks_of(val: Split | None) -> tuple[LeftOut, ...]:
    """What is left out of the validation split, and why it chooses no epoch where it does not."""
    note = partial(LeftOut, what="validation split", count=1, missing=False)
    if val is None:
        return (note(reason="there is none, so the weights of the last epoch are kept"),)
    if val.videos == 1:
        reason = "it has one video, which cannot tell epochs apart"
    elif val.videos < FEW:
        reason = f"it has {val.videos} videos, and so few can hardly choose between epochs"
    else:
        return val.left_out
    return (*val.left_out, note(reason=reason))


def _shape_of(recipe: Recipe) -> Any:
    """The model without weights; None for a CLIP, which may not be at hand: until it is open, it is
    taken to read all settings of a step, and it is judged by retrieval."""
    if recipe.features is None and recipe.meltr is None:
        return None
    with torch.device("meta"):
        return recipe.model_config_of().build()
