"""Which files to index, and how one is recognised again."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reeltune.errors import DataError
from reeltune.media.names import SUFFIXES


@dataclass(frozen=True)
class Candidate:
    """A file that may be indexed; `path` is as the user gave it."""

    path: str
    location: str  # absolute, links resolved
    size: int
    modified_ns: int


def candidates(paths: Sequence[str]) -> list[Candidate]:
    """Videos named by `paths`, in a stable order; a folder stands for the videos below it.

    A file given by name is taken whatever it is called. Hidden files and folders are passed over
    inside a folder, and links to folders are not followed. Raises DataError for a path that is
    not there.
    """
    found: dict[str, Candidate] = {}
    for path in paths:
        for file in _below(Path(path).expanduser()):
            location = os.path.realpath(file)
            try:
                status = os.stat(location)
            except OSError:
                continue  # a dangling link, or removed since the folder was listed
            made = Candidate(str(file), location, status.st_size, status.st_mtime_ns)
            found.setdefault(location, made)
    return list(found.values())


def _below(path: Path) -> Iterator[Path]:
    if not path.exists():
        raise DataError(f"{path} is not there; give a video or a folder of videos")
    if not path.is_dir():
        yield path
        return
    for folder, subfolders, names in os.walk(path):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield Path(folder, name)
