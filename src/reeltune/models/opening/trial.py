"""Tries an opened model with one grey frame and one word, and refuses it if it makes nothing of
them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from reeltune.errors import CheckpointError, ReeltuneError, in_short

WORD = "a"


@torch.no_grad()
def require_works(model: Any) -> None:
    """Raises CheckpointError for a model that makes no finite vector of its width of either, or,
    where it only scores pairs, no finite score of the two; where it only names classes, no finite
    score of each.

    Of a model of stored features one such feature is taken in place of the frame, so that a frozen
    encoder beside it is not opened before it is needed.
    """
    width = features_read(model)
    clip = _grey(model.pixels.size) if width is None else torch.full((1, 1, width), 0.5)
    there = torch.ones(1, 1).bool()

    def read() -> object:
        return model.encode_text(model.tokenize([WORD]))

    def watch() -> object:
        return model.encode_video(clip, there)

    def score() -> object:
        text = model.read_text(model.tokenize([WORD]))
        return model.align(text, model.read_video(clip, there))

    def name() -> object:
        return model.classify(model.read_video(clip, there))

    if hasattr(model, "encode_text"):
        _require_made(model, "a word", read, model.dim)
        _require_made(model, "a grey frame", watch, model.dim)
    elif hasattr(model, "align"):
        _require_made(model, "a word with a grey frame", score, 1)
    else:
        _require_made(model, "a grey frame", name, model.config.answer_scores)


def _require_made(model: Any, of: str, make: Callable[[], object], width: int) -> None:
    if fault := _fault(make, width):
        wanted = "a score" if width == 1 else f"a vector of {width} finite numbers"
        raise CheckpointError(
            f"{model.name} makes {fault} of {of}, and wanted is {wanted}; get the model's files "
            "again from where they came, or give another"
        )


def _fault(make: Callable[[], object], width: int) -> str:
    try:
        made = make()
    except ReeltuneError:
        raise
    except Exception as error:  # of whatever kind a model raises that does not fit together
        return f"{type(error).__name__} ({in_short(error)})"
    if not isinstance(made, Tensor):
        return f"no vector but {type(made).__name__}"
    if tuple(made.shape) != (1, width):
        return f"a vector of shape {tuple(made.shape[1:])}"
    return "" if bool(made.isfinite().all()) else "numbers that are not finite"


def features_read(model: Any) -> int | None:
    """F, the width of the stored features that a model reads in place of frames; None: frames."""
    width = getattr(getattr(model, "config", None), "features", None)
    return width if isinstance(width, int) else None


def _grey(side: int) -> Tensor:
    return torch.full((1, 1, 3, side, side), 128, dtype=torch.uint8)
