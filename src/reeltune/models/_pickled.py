"""Opens files that torch pickled as weights only, so that nothing in them is run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from reeltune.errors import CheckpointError, in_short


def read_pickled(path: Path, what: str, remedy: str, allowed: Sequence[Any] = ()) -> Any:
    """The content of the file, on the CPU; beside tensors and plain values only what is `allowed`,
    as `torch.serialization.safe_globals` takes it.

    Errors: `CheckpointError` for a file that cannot be read as `what`, with the `remedy`.
    """
    try:
        with torch.serialization.safe_globals(list(allowed)):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a pickle can fail in any way at all
        why = in_short(error)
        raise CheckpointError(f"{path} cannot be read as {what} ({why}); {remedy}") from error
