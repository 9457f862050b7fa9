"""Runs one ONNX file by onnxruntime."""

import mmap
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from reeltune.errors import CheckpointError, ConfigError, in_short
from reeltune.storage.regular_file import opened

ELSEWHERE = b"\x0a\x08location\x12"  # how a tensor begins to say which other file has its values


class Session:
    """One graph, opened when it is first asked; it is a stranger's data and reads no other file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened: Any = None

    def run(self, **inputs: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
        """The one output for inputs by their names.

        Raises ConfigError where onnxruntime is absent, and CheckpointError where the file is not
        such a graph.
        """
        if self._opened is None:
            self._opened = _open(self.path)
        try:
            wanted = {one.name for one in self._opened.get_inputs()}  # a mask may be left unread
            (made,) = self._opened.run(None, {k: v for k, v in inputs.items() if k in wanted})
        except Exception as error:  # onnxruntime has a class for each of many kinds of faults
            raise _broken(self.path, error) from error
        return np.asarray(made)


def _open(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError(
            f"{path.parent} is an exported model, and onnxruntime, which runs it, is absent; get "
            "it with: pip install 'reeltune[onnx]'"
        ) from error
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3  # errors alone
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")  # decoders work too
    try:
        _require_whole(path)
        return onnxruntime.InferenceSession(str(path), settings, ["CPUExecutionProvider"])
    except CheckpointError:
        raise
    except Exception as error:
        raise _broken(path, error) from error


def _require_whole(path: Path) -> None:
    """Raise CheckpointError for a graph whose values lie in other files, which could be any."""
    with opened(path) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content.find(ELSEWHERE) >= 0:
            raise CheckpointError(
                f"{path} reads weights from another file, and an export has all in one; export "
                "the model again: reeltune export MODEL --to onnx --out NEW"
            )


def _broken(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"{path} cannot be run by onnxruntime ({in_short(error)}); export the model again: "
        "reeltune export MODEL --to onnx --out NEW"
    )
