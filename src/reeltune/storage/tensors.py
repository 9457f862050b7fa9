"""The one way in which Reeltune writes a safetensors file."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from reeltune.storage.atomic_file import replacing


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write `tensors` whole or not at all, and parents of `path` that are not there.

    The file has the permissions that any other new file has; safetensors gives its own to nobody
    but their owner, so that a group could not read the models in a shared folder.
    Raises OSError with the path where the disk is full or lost.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    ready = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with replacing(path) as half:
        half.touch()
        permissions = half.stat().st_mode
        try:
            save_file(ready, half, None if metadata is None else dict(metadata))
        except SafetensorError as error:
            if number := re.search(r"\(os error (\d+)\)", str(error)):
                raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
            raise
        half.chmod(permissions)
