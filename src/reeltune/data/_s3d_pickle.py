"""The feature files of UniVL's release: a pickle of a dict, video id to S3D features (n, 1024).

A pickle can run any code when it is opened. The reader here knows numbers, strings, containers
and numpy arrays of numbers, and refuses a file that names anything else before it is run. It is
the only place in Reeltune that reads pickles; convert once, then use the folder.
"""

from pathlib import Path
from pickle import Unpickler
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from reeltune.data._feature_index import Making
from reeltune.data._feature_writer import FeatureWriter
from reeltune.errors import DataError


class _Number:
    """The type of an array's numbers, as the file spells it."""

    def __init__(self, code: str | bytes, align: object = False, copy: object = True) -> None:
        self._code = code.decode("ascii") if isinstance(code, bytes) else str(code)
        self._order = "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self._order = str(state[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        found = np.dtype(self._order + self._code)
        if found.kind not in "fiu":
            raise DataError(f"an array holds {self._code!r}, and features are numbers")
        return found


class _Array:
    """An array of numbers, made of its bytes alone; numpy's own reader is never called."""

    def __init__(self, *_: object) -> None:
        self.value = np.empty((0, 0), np.float32)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, number, is_fortran, raw = state
        self._fill(raw, number, shape, "F" if is_fortran else "C")

    @classmethod
    def of(cls, raw: object, number: _Number, shape: tuple[int, ...], order: str) -> "_Array":
        """As the fifth protocol writes it."""
        made = cls()
        made._fill(raw, number, shape, "F" if order == "F" else "C")
        return made

    def _fill(
        self, raw: object, number: _Number, shape: tuple[int, ...], order: Literal["F", "C"]
    ) -> None:
        kind = number.dtype
        held = raw.encode("latin1") if isinstance(raw, str) else raw  # a string in Python 2
        if not isinstance(held, bytes | bytearray):
            raise DataError(f"an array is a {type(raw).__name__} and not bytes")
        self.value = np.frombuffer(held, kind).reshape(shape, order=order)


def _latin1(text: str, coding: str) -> bytes:
    """Bytes, as the older protocols write them."""
    if coding != "latin1":
        raise DataError(f"bytes are written in {coding!r}, and latin1 is what pickle writes")
    return text.encode("latin1")


ALLOWED: dict[tuple[str, str], object] = {
    ("numpy", "ndarray"): "ndarray",  # named in the file, but not to be called
    ("numpy", "dtype"): _Number,
    ("_codecs", "encode"): _latin1,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Array for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _Array.of for core in ("core", "_core")},
}


class _Restricted(Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise DataError(f"it names {module}.{name}, which is no part of an array")
        return ALLOWED[module, name]


def read_s3d(path: Path) -> dict[str, Float[np.ndarray, "T F"]]:
    """Features by video id, float32.

    Errors: `DataError` for a file that holds anything but such a dict; no code in it is run.
    """
    try:
        with path.open("rb") as file:
            found = _Restricted(file, encoding="latin1").load()
    except DataError as error:
        raise DataError(f"{path} is refused: {error}; give a dict of feature arrays") from None
    except Exception as error:  # a damaged pickle fails in whatever it happens to call
        raise DataError(
            f"{path} cannot be read as a pickle of features ({error}); download it again"
        ) from error
    if not isinstance(found, dict) or not found:
        raise DataError(f"{path} holds a {type(found).__name__}; wanted is a dict of features")
    return {str(video): _features(path, str(video), value) for video, value in found.items()}


def convert_s3d(path: Path, folder: Path, rate: float = 1.0) -> int:
    """Write the features as a folder of ours (docs/features.md); how many videos there were.

    `rate` is features per second; a row stands for the middle of its span of the video.
    """
    videos = read_s3d(path)
    width = next(iter(videos.values())).shape[1]
    with FeatureWriter(
        folder, Making(width=width, dtype="float32", sampling=f"fps {rate:g}")
    ) as writer:
        for video, rows in videos.items():
            times = (np.arange(len(rows)) + 0.5) / rate
            writer.append(video, rows, times.tolist())
    return len(videos)


def _features(path: Path, video: str, value: object) -> Float[np.ndarray, "T F"]:
    if not isinstance(value, _Array) or value.value.ndim != 2:
        found = value.value.shape if isinstance(value, _Array) else type(value).__name__
        raise DataError(f"{path}: {video} has {found}; wanted are numbers (frames, width)")
    return value.value.astype(np.float32)
