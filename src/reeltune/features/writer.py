"""Writes frame features to disk, video by video, so that a killed run loses at most one video.

Rows go into a file with a temporary name; a journal says which of them belong to complete videos.
`finish` gives the files their names. A folder that has a journal is unfinished, whatever else is
in it, so a crash at any point is mended by opening the folder again with a writer.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from filelock import FileLock, Timeout
from jaxtyping import Float

from reeltune.errors import DataError, counted
from reeltune.features import official
from reeltune.features.index import FILE_NAME, Entry, Index, Journal, Making, read_index
from reeltune.features.store import DATA, Features

Format = Literal["own", "official"]


class FeatureWriter:
    """Append features of videos to a folder, new or not; leave the context to finish.

    Raises DataError if another process writes there, or if the folder's features were made in
    another way.
    """

    def __init__(self, folder: Path, making: Making, format: Format = "own") -> None:
        if format == "official" and making.dtype != "float32":
            raise DataError(
                f"features in the official format are float32, not {making.dtype}; "
                "ask for float32, or for our own format"
            )
        self._is_new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.making, self.format = folder, making, format
        self._final = folder / (official.DATA if format == "official" else DATA)
        self._part = folder / f".{self._final.name}.part"
        self._header = b"" if format == "official" else _npy_header(making, 0)
        self._journal = Journal(folder)
        self._lock = FileLock(folder / ".lock")

    def __enter__(self) -> "FeatureWriter":
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise DataError(
                f"another process writes features to {self.folder}; wait for it, or give another "
                "folder"
            ) from None
        try:
            self._entries = self._begin()
            self._rows = sum(entry.count for entry in self._entries.values())
            self._file = self._opened()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self._file.close()
            if not self._entries:
                self._leave_nothing()
            elif kind is None:
                self._finish()
        finally:
            self._lock.release()

    @property
    def videos(self) -> Mapping[str, Entry]:
        """Ids of the videos that are stored."""
        return self._entries

    def append(
        self,
        video: str,
        features: Float[np.ndarray, "T F"],
        edges: Sequence[float] | None = None,
        content: str | None = None,
    ) -> None:
        """Store a video's features; `content` is the hash of the file that they were made from.

        `edges` are the seconds at which each row's frame comes, and at which the last one goes.
        Raises DataError for an id that is there or cannot be, and for features that are not
        finite numbers, of another width, or too many or too few for `edges`.
        """
        self._require(video, features, edges)
        rows = np.ascontiguousarray(features, np.dtype(self.making.dtype).newbyteorder("<"))
        if not np.isfinite(rows).all():
            raise DataError(
                f"features of {video} are not finite numbers in {self.making.dtype}; "
                "leave this video out, or store float32"
            )
        self._file.write(rows.tobytes())
        self._file.flush()
        os.fsync(self._file.fileno())
        seconds = None if edges is None else tuple(float(edge) for edge in edges)
        entry = Entry(first=self._rows, count=len(rows), edges=seconds, content=content)
        self._journal.add(video, entry)
        self._entries[video] = entry
        self._rows += len(rows)

    def _require(
        self, video: str, features: Float[np.ndarray, "T F"], edges: Sequence[float] | None
    ) -> None:
        if self.format == "official":
            official.require_name(video)
        if video in self._entries:
            raise DataError(
                f"{self.folder} has features of {video!r} already; "
                "give each video a name of its own, or a new folder"
            )
        if len(features) == 0 or features.shape[1] != self.making.width:
            raise DataError(
                f"features of {video} have shape {features.shape}; "
                f"{self.folder} holds one row or more of width {self.making.width} for each video"
            )
        if edges is not None and len(edges) != len(features) + 1:
            raise DataError(
                f"{video} has {counted(len(features), 'feature')} and "
                f"{counted(len(edges), 'edge')}; give the time at which each begins, and that at "
                "which the last one ends"
            )
        if edges is not None and list(edges) != sorted(edges):
            raise DataError(f"the times of {video} do not ascend; leave this video out")

    def _begin(self) -> dict[str, Entry]:
        """Put the content of the folder back into the state of a run that has not finished."""
        is_unfinished = self._journal.exists()
        other = self.folder / (DATA if self.format == "official" else official.DATA)
        if other.exists() or other.with_name(f".{other.name}.part").exists():
            raise DataError(
                f"{self.folder} holds {other.name}, features in the other format; give a new folder"
            )
        index = self._journal.read() if is_unfinished else self._finished()
        for field, have in index.making.model_dump(exclude={"model"}).items():
            want = getattr(self.making, field)
            if have != want:
                raise DataError(
                    f"{self.folder} holds features whose {field} is {have!r}, not {want!r}; "
                    "give a new folder, so that they are not mixed"
                )
        if not is_unfinished:
            self._journal.begin(index)
        if self._final.exists():
            self._final.replace(self._part)
        return dict(index.videos)

    def _finished(self) -> Index:
        """The index of a folder without a journal, which may be empty."""
        if not self._final.exists():
            return Index(making=self.making, videos={})
        if not (self.folder / FILE_NAME).exists():
            raise DataError(
                f"{self.folder} holds features that Reeltune did not make, so nothing is added to "
                "them; give a new folder"
            )
        Features(self.folder)  # raises for files that do not fit each other
        return read_index(self.folder)

    def _opened(self) -> BinaryIO:
        """The file of rows, cut to those of complete videos."""
        row = self.making.width * np.dtype(self.making.dtype).itemsize  # bytes
        size = len(self._header) + self._rows * row
        if not self._part.exists():
            self._part.write_bytes(self._header)
        have = self._part.stat().st_size
        if have < size:
            raise DataError(
                f"{self._part} has {have} bytes, and {self._rows} rows need {size}; part of it is "
                f"lost, so delete {self.folder} and make the features again"
            )
        os.truncate(self._part, size)
        return self._part.open("ab")

    def _leave_nothing(self) -> None:
        self._part.unlink()
        self._journal.end()
        if self._is_new:
            shutil.rmtree(self.folder)

    def _finish(self) -> None:
        index = Index(making=self.making, videos=self._entries)
        if self.format == "own":
            with self._part.open("r+b") as file:
                file.write(_npy_header(self.making, index.rows))
        else:
            counts = {video: entry.count for video, entry in self._entries.items()}
            official.write_official(self.folder, counts, self.making.width)
        index.write(self.folder)
        self._part.replace(self._final)
        self._journal.end()


def _npy_header(making: Making, rows: int) -> bytes:
    """The beginning of a .npy file; numpy pads it, so that it stays as long when rows are added."""
    dtype = np.dtype(making.dtype).newbyteorder("<")
    shape = (rows, making.width)
    file = BytesIO()
    fields = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, fields)
    return file.getvalue()
