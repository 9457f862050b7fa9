"""Tries an opened model with one grey frame and one word, and refuses it if it gives no vectors."""

from typing import Any

import torch
from torch import Tensor

from reeltune.errors import CheckpointError, ReeltuneError

WORD = "a"


@torch.no_grad()
def require_vectors(model: Any) -> None:
    """Raises CheckpointError for a model that makes no finite vector of its width of either.

    Of a model of stored features one such feature is taken in place of the frame, so that a frozen
    encoder beside it is not opened before it is needed.
    """
    width = features_read(model)

    def read() -> object:
        return model.encode_text(model.tokenize([WORD]))

    def watch() -> object:
        clip = _grey(model.pixels.size) if width is None else torch.full((1, 1, width), 0.5)
        return model.encode_video(clip, torch.ones(1, 1).bool())

    for what, encode in {"a word": read, "a grey frame": watch}.items():
        fault = _fault(encode, model.dim)
        if fault:
            raise CheckpointError(
                f"{model.name} makes {fault} of {what}, and wanted is a vector of {model.dim} "
                "finite numbers; get the model's files again from where they came, or give another"
            )


def _fault(encode: Any, width: int) -> str:
    try:
        vector = encode()
    except ReeltuneError:
        raise
    except Exception as error:  # of whatever kind a model raises that does not fit together
        return f"{type(error).__name__} ({(str(error).splitlines() or ['no reason'])[0]})"
    if not isinstance(vector, Tensor):
        return f"no vector but {type(vector).__name__}"
    if tuple(vector.shape) != (1, width):
        return f"a vector of shape {tuple(vector.shape[1:])}"
    return "" if bool(vector.isfinite().all()) else "numbers that are not finite"


def features_read(model: Any) -> int | None:
    """F, the width of the stored features that a model reads in place of frames; None: frames."""
    width = getattr(getattr(model, "config", None), "features", None)
    return width if isinstance(width, int) else None


def _grey(side: int) -> Tensor:
    return torch.full((1, 1, 3, side, side), 128, dtype=torch.uint8)
