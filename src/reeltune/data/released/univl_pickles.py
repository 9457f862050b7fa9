"""Reads the pickles of UniVL's release: S3D features, and captions and speech of YouCook2's clips.

A pickle can run any code when it is opened. The reader here knows numbers, strings, containers
and numpy arrays of these, and refuses a file that names anything else before it is run. It is
for converting, never for running: `reeltune convert s3d` and `reeltune convert youcook2`.
"""

from pathlib import Path
from pickle import Unpickler
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from reeltune.errors import DataError, in_short
from reeltune.features.index import Making
from reeltune.features.writer import FeatureWriter
from reeltune.storage.regular_file import opened

NUMPY = (".npy", ".npz")


class _Kind:
    """The type of an array's elements as the file spells it: numbers, text or objects."""

    def __init__(self, code: str | bytes, align: object = False, copy: object = True) -> None:
        self._code = code.decode("ascii") if isinstance(code, bytes) else str(code)
        self._order = "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self._order = str(state[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        found = np.dtype(self._order + self._code)
        if found.kind not in "fiuUO":
            raise DataError(f"an array holds {self._code!r}, and wanted are numbers or text")
        return found


class _Array:
    """An array that is made only from its bytes or items; numpy's own reader is never called."""

    def __init__(self, *_: object) -> None:
        self.value: np.ndarray = np.empty((0, 0), np.float32)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, is_fortran, raw = state
        self._fill(raw, kind, shape, "F" if is_fortran else "C")

    @classmethod
    def of(cls, raw: object, kind: _Kind, shape: tuple[int, ...], order: str) -> "_Array":
        """As the fifth protocol writes it."""
        made = cls()
        made._fill(raw, kind, shape, "F" if order == "F" else "C")
        return made

    def _fill(
        self, raw: object, kind: _Kind, shape: tuple[int, ...], order: Literal["F", "C"]
    ) -> None:
        dtype = kind.dtype
        held = _items(raw) if dtype.kind == "O" else np.frombuffer(_bytes(raw), dtype)
        self.value = held.reshape(shape, order=order)


def _items(raw: object) -> np.ndarray:
    """Objects that the restricted reader has made, and which are therefore plain."""
    if not isinstance(raw, list):
        raise DataError(f"an array of objects is a {type(raw).__name__} and not a list")
    held = np.empty(len(raw), object)
    held[:] = raw
    return held


def _bytes(raw: object) -> bytes | bytearray:
    held = raw.encode("latin1") if isinstance(raw, str) else raw  # a string in Python 2
    if not isinstance(held, bytes | bytearray):
        raise DataError(f"an array is a {type(raw).__name__} and not bytes")
    return held


def _scalar(kind: _Kind, raw: object) -> object:
    """One number of numpy's, as Python's."""
    return np.frombuffer(_bytes(raw), kind.dtype, count=1)[0].item()


def _latin1(text: str, coding: str) -> bytes:
    """Bytes, as the older protocols write them."""
    if coding != "latin1":
        raise DataError(f"bytes are written in {coding!r}, and latin1 is what pickle writes")
    return text.encode("latin1")


ALLOWED: dict[tuple[str, str], object] = {
    ("numpy", "ndarray"): "ndarray",  # named in the file, but not to be called
    ("numpy", "dtype"): _Kind,
    ("_codecs", "encode"): _latin1,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Array for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _Array.of for core in ("core", "_core")},
}


class _Restricted(Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise DataError(f"it names {module}.{name}, which is no part of an array")
        return ALLOWED[module, name]


def read_s3d(path: Path) -> dict[str, Float[np.ndarray, "T F"]]:
    """Features by video id, float32, of a pickled dict.

    Errors: `DataError` for a file that holds anything but such a dict; no code in it is run.
    """
    found = _read(path, "feature arrays")
    return {video: _features(path, video, value) for video, value in found.items()}


def convert_s3d(path: Path, folder: Path, rate: float = 1.0) -> int:
    """Write the features in our own format (docs/features.md) and return the number of videos.

    `rate` is features per second; row n stands for the video from n / `rate` s on.
    """
    videos = read_s3d(path)
    width = next(iter(videos.values())).shape[1]
    with FeatureWriter(
        folder, Making(width=width, dtype="float32", sampling=f"fps {rate:g}")
    ) as writer:
        for video, rows in videos.items():
            writer.append(video, rows, (np.arange(len(rows) + 1) / rate).tolist())
    return len(videos)


def read_columns(path: Path) -> dict[str, dict[str, list[object]]]:
    """Columns by name for each video id, such as `start`, `end`, `text` and `transcript`.

    Errors: `DataError` for a file that holds anything but such a dict; no code in it is run.
    """
    found = _read(path, "columns for each video")
    for video, columns in found.items():
        if not isinstance(columns, dict):
            raise DataError(
                f"{path}: {video} has a {type(columns).__name__}; wanted is a dict of columns"
            )
    return {
        video: {str(name): _column(path, video, value) for name, value in columns.items()}
        for video, columns in found.items()
    }


def _read(path: Path, wanted: str) -> dict[str, Any]:
    _require_pickle(path, wanted)
    try:
        with opened(path) as file:
            found = _Restricted(file, encoding="latin1").load()
    except DataError as error:
        raise DataError(f"{path} is refused: {error}; give a dict of {wanted}") from None
    except Exception as error:  # a damaged pickle fails in whatever it happens to call
        raise DataError(
            f"{path} cannot be read as a pickle of {wanted} ({in_short(error)}); download it again"
        ) from error
    if not isinstance(found, dict) or not found:
        raise DataError(f"{path} holds a {type(found).__name__}; wanted is a dict of {wanted}")
    return {str(video): value for video, value in found.items()}


def _require_pickle(path: Path, wanted: str) -> None:
    """Raise DataError, with what is read, for a path that is plainly something else."""
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "is not there"
    elif path.suffix.lower() in NUMPY:
        found = f"is a file of numpy ({path.suffix})"
    else:
        return
    raise DataError(
        f"{path} {found}, and what is read is a file in which pickle has a dict of {wanted}, by "
        "the video's id; give the file as it was downloaded, or write such a dict with pickle.dump"
    )


def _features(path: Path, video: str, value: object) -> Float[np.ndarray, "T F"]:
    found: object = type(value).__name__
    if isinstance(value, _Array):
        if value.value.ndim == 2 and value.value.dtype.kind in "fiu":
            return value.value.astype(np.float32, copy=False)  # a file may hold gigabytes
        found = f"{value.value.dtype} {value.value.shape}"
    raise DataError(f"{path}: {video} has {found}; wanted are numbers (frames, width)")


def _column(path: Path, video: str, value: object) -> list[object]:
    if isinstance(value, list):
        return value
    if not isinstance(value, _Array) or value.value.ndim != 1:
        found = value.value.shape if isinstance(value, _Array) else type(value).__name__
        raise DataError(f"{path}: {video} has {found} for a column; wanted is a list")
    return list(value.value.tolist())
