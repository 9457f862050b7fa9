"""Reads and writes `index.json` beside stored features, which says whose the rows are and what
made them."""

import json
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, ValidationError

from reeltune.errors import DataError, counted, in_short
from reeltune.storage.atomic_file import write_atomically
from reeltune.storage.regular_file import read_bytes

FILE_NAME = "index.json"
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Making(_Closed):
    """What all features of a folder have in common; features of two makings are never mixed."""

    width: PositiveInt  # F
    dtype: Literal["float16", "float32"] = "float16"
    model: str = ""
    fingerprint: str = ""
    sampling: str = ""  # as `Sampling` writes it, such as "fps 2 as shown"


class Entry(_Closed):
    """The rows of one video."""

    first: NonNegativeInt
    count: PositiveInt
    edges: tuple[Seconds, ...] | None = None  # s at which each row's frame comes, the last goes
    content: str | None = None  # hash of the file that the rows were made from


class Index(_Closed):
    """The whole of `index.json`."""

    version: Literal[2] = 2
    making: Making
    videos: dict[str, Entry]

    @property
    def rows(self) -> int:
        """Frames of all videos together."""
        return sum(entry.count for entry in self.videos.values())

    def write(self, folder: Path) -> None:
        """Write the index into a folder, whole or not at all."""
        write_atomically(folder / FILE_NAME, self.model_dump_json().encode() + b"\n")


def read_index(folder: Path) -> Index:
    """The index in a file.

    Raises DataError if it is damaged, or if its rows overlap or leave gaps.
    """
    path = folder / FILE_NAME
    try:
        index = Index.model_validate_json(read_bytes(path))
    except (OSError, ValidationError) as error:
        raise DataError(
            f"{path} is not the index of stored features ({_in_short(error)}); make them again "
            "with `reeltune features`, or `reeltune convert s3d`"
        ) from None
    _require_rows_in_turn(index, path)
    return index


def _in_short(error: OSError | ValidationError) -> str:
    for fault in error.errors() if isinstance(error, ValidationError) else ():
        if fault["loc"] == ("version",):
            return (
                f"it is of version {fault['input']}, which tells of rows by other times than "
                "version 2 does"
            )
    return in_short(error)


def _require_rows_in_turn(index: Index, path: Path) -> None:
    expected = 0
    for video, entry in sorted(index.videos.items(), key=lambda item: item[1].first):
        if entry.first != expected or not _has_edges_or_none(entry):
            raise DataError(
                f"{path}: {video!r} has {counted(entry.count, 'row')} from {entry.first} and "
                f"{counted(len(entry.edges or ()), 'edge')}, but its rows should begin at "
                f"{expected} with ascending edges, one more than there are rows, or none; make the "
                "features again with `reeltune features`"
            )
        expected += entry.count


def _has_edges_or_none(entry: Entry) -> bool:
    edges = entry.edges
    return edges is None or (len(edges) == entry.count + 1 and list(edges) == sorted(edges))


class Journal:
    """A record of what has been stored, one line for each video, so that a killed run goes on
    where it was."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / ".journal.jsonl"

    def exists(self) -> bool:
        """Whether a run has begun and not ended."""
        return self.path.is_file()

    def begin(self, index: Index) -> None:
        """Start the record with what the index has."""
        lines = [index.making.model_dump_json(), *map(_line, index.videos, index.videos.values())]
        write_atomically(self.path, "".join(f"{line}\n" for line in lines).encode())

    def add(self, video: str, entry: Entry) -> None:
        """Append a video, on disk before this returns."""
        with self.path.open("ab") as file:
            file.write(f"{_line(video, entry)}\n".encode())
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> Index:
        """All whole lines; half a line, where the writer was killed, is cut off the file."""
        content = read_bytes(self.path)
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            write_atomically(self.path, whole)
        try:
            head, *lines = whole.splitlines()
            pairs = [json.loads(line) for line in lines]
            videos = {video: Entry(**entry) for video, entry in pairs}
            return Index(making=Making.model_validate_json(head), videos=videos)
        except (ValueError, TypeError, RecursionError) as error:
            raise DataError(
                f"{self.path} is damaged ({in_short(error)}), so it is not known what "
                f"{self.path.parent} holds; delete the folder and make the features again"
            ) from None

    def end(self) -> None:
        """Remove the record, once an index has been written."""
        self.path.unlink()


def _line(video: str, entry: Entry) -> str:
    return json.dumps([video, entry.model_dump()])
