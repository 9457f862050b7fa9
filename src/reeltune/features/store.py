"""Stored frame features of any number of videos, read from disk row by row and never whole."""

import os
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from urllib.parse import quote

import numpy as np
from jaxtyping import Float, Int

from reeltune.errors import DataError, counted, in_shell, in_short
from reeltune.features import official
from reeltune.features.index import FILE_NAME, Journal, Making, read_index
from reeltune.features.shown_rows import rows_of_clip
from reeltune.media.names import stem
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
        self._edges: dict[str, Float[np.ndarray, " T1"]] = {}
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
                f"it; make some with: reeltune features VIDEOS --out {in_shell(folder)}"
            )

    @property
    def videos(self) -> tuple[str, ...]:
        """Names of the videos that have features."""
        return tuple(self._rows)

    @property
    def width(self) -> int:
        """F, the width of the features."""
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

    def edges(self, video: str) -> Float[np.ndarray, " T1"] | None:
        """Seconds at which each frame appears, and the last one disappears; None if they are not
        known."""
        self._rows_of(video)
        return self._edges.get(video)

    def _rows_of(self, video: str) -> Int[np.ndarray, " T"]:
        try:
            return self._rows[video]
        except KeyError:
            raise DataError(
                f"{self.folder} has no features of {video!r}, only of "
                f"{counted(len(self._rows), 'other')} such as {next(iter(self._rows), None)!r}; "
                "make them with `reeltune features`"
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
        except (ValueError, OSError, OverflowError) as error:
            raise DataError(
                f"{path} is not a whole array ({in_short(error)}); copy it again, or make "
                "the features again"
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
        self._edges = {v: np.array(e.edges) for v, e in videos if e.edges is not None}


class FeatureReader:
    """Stored features of a pair's video, or of its part, in place of decoded frames.

    It is used as `FrameReader` is, and gives (T, F) where that gives (T, 3, S, S). At most
    `frames` of them are read, chosen as `uniform` chooses of a video that shows each row until the
    next; None reads all. Rows whose times nobody knows count as equally long.
    """

    def __init__(self, features: Features, frames: int | None = None) -> None:
        self.features, self.frames = features, frames

    def __enter__(self) -> "FeatureReader":
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: the files are mapped and are released with the object."""

    def read(self, pair: Pair) -> Frames:
        """Features of the pair's clip; raises DataError if the video has none, or none for this
        part."""
        video = self.id_of(pair)
        edges = self._edges(pair, video)
        chosen = rows_of_clip(edges, pair, self.frames)
        if not len(chosen):
            raise DataError(
                f"{self.features.folder} has features of {video} up to {edges[-1]:g} s, and asked "
                f"for was the part from {pair.start:g} s; correct the annotation, or make the "
                "features again of the whole video"
            )
        return self.features.of(video, chosen)

    def _edges(self, pair: Pair, video: str) -> Float[np.ndarray, " T1"]:
        edges = self.features.edges(video)
        if edges is None and (pair.start > 0 or pair.end is not None):
            raise DataError(
                f"{self.features.folder} does not know the times of its frames, so the part of "
                f"{video} from {pair.start:g} s cannot be found; make features with times by "
                "`reeltune features`"
            )
        return np.arange(self.features.count(video) + 1.0) if edges is None else edges

    def id_of(self, pair: Pair) -> str:
        """The id that the pair's video has among the features."""
        for name in names_of(pair):
            if name in self.features:
                return name
        known = next(iter(self.features.videos), None)
        raise DataError(
            f"{self.features.folder} has no features of {pair.path} under any of "
            f"{', '.join(names_of(pair))} (it has {counted(len(self.features.videos), 'video')} "
            f"such as {known!r}); make them with `reeltune features`"
        )


def names_of(pair: Pair) -> list[str]:
    """Ids that a pair's video may have: the dataset's own, then those by its path, longest
    first."""
    plain = [pair.video, *map(as_id, _endings(pair.path))]
    return list(dict.fromkeys([*plain, *(quote(name, safe=SAFE) for name in plain)]))


def as_id(path: PurePath) -> str:
    """The id for a path from the folder whose features were made: with slashes, without video
    suffix."""
    short = path.stem if path.suffix.lower() in PICTURES else stem(path.name)
    return unicodedata.normalize("NFC", path.with_name(short).as_posix())


def _endings(path: PurePath) -> Iterator[PurePath]:
    parts: Sequence[str] = PurePath(os.path.normpath(path)).parts
    for first in range(len(parts)):
        yield PurePath(*parts[first:])
