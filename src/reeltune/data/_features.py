"""Stored frame features: of any number of videos, read from disk row by row, never whole."""

import os
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from urllib.parse import quote

import numpy as np
from jaxtyping import Float, Int

from reeltune.data import _official_features as official
from reeltune.data._feature_index import FILE_NAME, Journal, Making, read_index
from reeltune.data._videos import stem
from reeltune.errors import DataError
from reeltune.types import Pair

DATA = "features.npy"
PICTURES = frozenset([".bmp", ".jpeg", ".jpg", ".png", ".webp"])  # a clip of one frame each
SAFE = "/-._~"  # in ids of the official format; all else but letters and digits is %-escaped
Frames = Float[np.ndarray, "T F"]


class Features:
    """Frame features in a folder, of the official format or our own (docs/features.md).

    `videos` are the ids, `width` is F, `making` says what made them where that is known.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._times: dict[str, Float[np.ndarray, " T"]] = {}
        if Journal(folder).exists():
            raise DataError(
                f"{folder} is being written, or was left unfinished; wait, or run the same "
                "`reeltune features` again, which goes on where it stopped"
            )
        if (folder / official.DATA).is_file():
            self._open_official()
        elif (folder / DATA).is_file():
            self._open_own()
        else:
            raise DataError(
                f"{folder} holds neither {official.DATA} nor {DATA}, so there are no features in "
                f"it; make some with: reeltune features VIDEOS --out {folder}"
            )

    @property
    def videos(self) -> tuple[str, ...]:
        return tuple(self._rows)

    @property
    def width(self) -> int:
        return self._data.shape[1]

    @property
    def rows(self) -> int:
        """Frames of all videos together."""
        return len(self._data)

    def __contains__(self, video: object) -> bool:
        return video in self._rows

    def of(self, video: str, chosen: Int[np.ndarray, " N"] | None = None) -> Frames:
        """Features of a video in float32, all or those of the `chosen` frames.

        Raises DataError for a video that is not here, or whose features are not finite.
        """
        rows = self._rows_of(video)
        rows = rows if chosen is None else rows[chosen]
        found = np.asarray(self._data[rows], np.float32)
        if not np.isfinite(found).all():
            bad = rows[~np.isfinite(found).all(axis=1)]
            raise DataError(
                f"{self.folder}: {len(bad)} of {len(rows)} rows of {video} are not finite numbers, "
                f"first row {bad[0]}; make the features of this video again"
            )
        return found

    def count(self, video: str) -> int:
        """Frames of a video."""
        return len(self._rows_of(video))

    def times(self, video: str) -> Float[np.ndarray, " T"] | None:
        """Seconds of each frame since the video's beginning; None where nobody knows."""
        self._rows_of(video)
        return self._times.get(video)

    def _rows_of(self, video: str) -> Int[np.ndarray, " T"]:
        try:
            return self._rows[video]
        except KeyError:
            raise DataError(
                f"{self.folder} has no features of {video!r}, only of {len(self._rows)} others "
                f"such as {next(iter(self._rows), None)!r}; make them with `reeltune features`"
            ) from None

    def _open_official(self) -> None:
        rows, width = official.read_shape(self.folder)
        path = self.folder / official.DATA
        self._data: np.ndarray = np.memmap(path, np.dtype("<f4"), "r", shape=(rows, width))
        self.making = Making(width=width, dtype="float32")
        if (self.folder / FILE_NAME).is_file():  # ours: the same rows, and their times
            self._take_index(rows, width)
        else:
            self._rows = official.read_rows(self.folder, rows)

    def _open_own(self) -> None:
        path = self.folder / DATA
        try:
            self._data = np.lib.format.open_memmap(path, mode="r")
        except (ValueError, OSError) as error:
            raise DataError(
                f"{path} is not a whole array ({error}); copy it again, or make the features again"
            ) from None
        if self._data.ndim != 2 or self._data.dtype not in (np.float16, np.float32):
            raise DataError(
                f"{path} holds {self._data.dtype} of shape {self._data.shape}; wanted are float16 "
                "or float32 of shape (rows, width), so make the features again"
            )
        self._take_index(*self._data.shape)

    def _take_index(self, rows: int, width: int) -> None:
        index = read_index(self.folder)
        if (index.rows, index.making.width) != (rows, width):
            raise DataError(
                f"{self.folder / FILE_NAME} tells of {index.rows} x {index.making.width} features, "
                f"and there are {rows} x {width}; the files are of two makings, so make them again"
            )
        self.making = index.making
        videos = index.videos.items()
        self._rows = {v: np.arange(e.first, e.first + e.count) for v, e in videos}
        self._times = {v: np.array(e.times) for v, e in videos if e.times is not None}


class FeatureReader:
    """Stored features of a pair's video, or of its part, in place of decoded frames.

    It is used as `FrameReader` is, and gives (T, F) where that gives (T, 3, S, S). At most
    `frames` of them are read, the middles of equal parts; None reads all.
    """

    def __init__(self, features: Features, frames: int | None = None) -> None:
        self.features, self.frames = features, frames

    def __enter__(self) -> "FeatureReader":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close: the files are mapped, and go with the object."""

    def read(self, pair: Pair) -> Frames:
        """Raises DataError if the video has no features, or none whose times are known."""
        video = self.id_of(pair)
        chosen = self._inside(pair, video)
        if self.frames is not None and len(chosen) > self.frames:
            middles = (np.arange(self.frames) + 0.5) * len(chosen) / self.frames
            chosen = chosen[middles.astype(int)]
        return self.features.of(video, chosen)

    def id_of(self, pair: Pair) -> str:
        """The id that the pair's video has among the features."""
        for name in names_of(pair):
            if name in self.features:
                return name
        known = next(iter(self.features.videos), None)
        raise DataError(
            f"{self.features.folder} has no features of {pair.path} under any of "
            f"{', '.join(names_of(pair))} (it has {len(self.features.videos)} videos such as "
            f"{known!r}); make them with `reeltune features`"
        )

    def _inside(self, pair: Pair, video: str) -> Int[np.ndarray, " N"]:
        """Numbers of the frames in the pair's span; the nearest one where none lies in it."""
        if pair.start == 0 and pair.end is None:
            return np.arange(self.features.count(video))
        times = self.features.times(video)
        if times is None:
            raise DataError(
                f"{self.features.folder} does not know the times of its frames, so the part of "
                f"{video} from {pair.start:g} s cannot be found; make features with times by "
                "`reeltune features`"
            )
        end = np.inf if pair.end is None else pair.end
        inside = np.flatnonzero((times >= pair.start) & (times < end))
        if len(inside):
            return inside
        middle = pair.start if pair.end is None else (pair.start + pair.end) / 2
        return np.array([np.abs(times - middle).argmin()])


def names_of(pair: Pair) -> list[str]:
    """Ids that a pair's video may have: as the dataset says, or by its path, longest first."""
    plain = [pair.video, *map(as_id, _endings(pair.path))]
    return list(dict.fromkeys([*plain, *(quote(name, safe=SAFE) for name in plain)]))


def as_id(path: PurePath) -> str:
    """A path from the folder that features were made of, as an id: slashes, no video suffix."""
    short = path.stem if path.suffix.lower() in PICTURES else stem(path.name)
    return unicodedata.normalize("NFC", path.with_name(short).as_posix())


def _endings(path: PurePath) -> Iterator[PurePath]:
    parts: Sequence[str] = PurePath(os.path.normpath(path)).parts
    for first in range(len(parts)):
        yield PurePath(*parts[first:])
