"""The files of a library: lists them, takes some out, and tells it that they were moved."""

import os
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

from reeltune.errors import (
    ConfigError,
    LibraryError,
    NotInLibraryError,
    counted,
    in_shell,
    in_short,
)
from reeltune.media.files import Candidate
from reeltune.media.paths import Paths, each_of
from reeltune.search._known import Known
from reeltune.search._known import Stored as Stored
from reeltune.search._places import depth_of, is_below, place_of, status_of
from reeltune.search.report import Failed
from reeltune.search.store import table as _table
from reeltune.search.store import texts as _texts
from reeltune.search.store.changes import begin
from reeltune.search.store.lock import sole_writer
from reeltune.search.store.manifest import Manifest
from reeltune.search.store.only import Only
from reeltune.search.store.schema import TAKEN
from reeltune.search.times import as_text
from reeltune.storage.fetched import is_in_store
from reeltune.storage.home import from_home
from reeltune.storage.place import Place

PLAIN = ("path", "location", "size", "duration", "width", "height", "note")
COUNTED = ("parts", "modified", TAKEN)  # columns that a file has under other names


@dataclass(frozen=True, kw_only=True)
class File:
    """A video of a library."""

    id: str  # opaque, stable while the content is
    path: str  # as given at the last indexing
    location: str  # absolute, links resolved, so it can be opened from anywhere
    size: int  # bytes
    duration: float  # seconds
    width: int  # pixels, as displayed
    height: int
    moments: int  # how many the library has of it
    modified: str  # UTC, ISO 8601: when the file last changed
    taken: str | None  # UTC, ISO 8601: when the video was taken, where its container says so
    note: str  # what is wrong with the file, empty if nothing is


Listed = TypeVar("Listed", bound=File | Stored)


@dataclass
class Relocated:
    """Outcome of `relocate`: paths that are now at the new place, and those that are not."""

    moved: list[str] = field(default_factory=list)
    kept: list[Failed] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0: all files are at the new place; 3: some are not."""
        return 3 if self.kept else 0


def list_files(folder: Place) -> list[File]:
    """Every file, in the order of paths."""
    Manifest.read(folder)
    table = _table.open_table(folder)
    columns = [name for name in ("video", *PLAIN, *COUNTED) if name in table.schema.names]
    rows = table.to_table(columns=columns, filter="part = 0").to_pylist()
    return sorted(map(_file, rows), key=lambda file: (file.path, file.location))


def stored_file(folder: Place, id: str) -> Stored:
    """What a library knows of the place of a file, by its id; raises NotInLibraryError for an id
    that it does not have."""
    found = stored_files(folder, [id])
    if id not in found:
        raise NotInLibraryError(f"{folder} has no file with the id {id}; list its files for theirs")
    return found[id]


def stored_files(folder: Place, ids: Collection[str]) -> dict[str, Stored]:
    """What a library knows of the places of files, by their ids; without those that it does not
    have."""
    if not ids:
        return {}
    table = _table.open_table(folder)
    columns = ["video", "path", "location", "size", "modified_ns"]
    wanted = Only(videos=tuple(ids), firsts=True).sql()
    rows = table.to_table(columns=columns, filter=wanted).to_pylist()
    return {row["video"]: Stored(**row) for row in rows}


def _file(row: dict[str, Any]) -> File:
    taken = row.get(TAKEN)  # a column that libraries of older versions lack
    return File(
        **{name: row[name] for name in PLAIN},
        id=row["video"],
        moments=row["parts"],
        modified=as_text(row["modified"]),
        taken=None if taken is None else as_text(taken),
    )


def remove(folder: Place, paths: Paths) -> list[str]:
    """Take files out of a library, or those below folders, and leave them on disk; returns their
    paths.

    They need not be on disk. Raises LibraryError for a path that names none, and takes out none.
    """
    Manifest.read(folder)
    with sole_writer(folder):
        stored = list(Known.read(folder).by_video.values())
        named = {
            one.video: one.path for path in each_of(paths) for one in _named(folder, stored, path)
        }
        begin(folder, "remove")
        _table.remove(folder, list(named))
        _texts.sweep(folder)
    return sorted(named.values())


def contents_of(folder: Place, path: str) -> list[str]:
    """Contents that a library holds of a file, or of all below a folder, which need not be on disk.

    Raises LibraryError for a path that names none.
    """
    return [one.video for one in _named(folder, list(Known.read(folder).by_video.values()), path)]


def _named(folder: Place, stored: Sequence[Stored], path: str) -> list[Stored]:
    """The files that a path names: by where it is, or else as it was given at indexing.

    A relative path that leads to something on disk means that, and not what lay there elsewhere.
    """
    place = place_of(path)
    means_place = not os.path.isabs(from_home(path)) and os.path.lexists(place)
    if found := files_at(stored, place, "" if means_place else path):
        return found
    raise NotInLibraryError(
        f"{folder} has no file {path}, and none below it; see its files: "
        f"reeltune library list {in_shell(folder)}"
    )


def files_at(files: Sequence[Listed], place: str, given: str = "") -> list[Listed]:
    """The file at a place, or all below a folder, or else those that were given so at indexing,
    without a look at the disk.

    Where none is spelled so, a name counts in the other form of Unicode (see `store/_accents.py`),
    if one file or folder alone has it. What has no name in it, such as `.`, was never given.
    """
    given = "" if {*Path(given).parts} <= {".."} else given
    sought = [(attrgetter("location"), place)] + [(attrgetter("path"), given)] * bool(given)
    for form in (str, partial(unicodedata.normalize, "NFC")):
        for told, wanted in sought:
            found = [one for one in files if is_below(form(told(one)), form(wanted))]
            if len({Path(told(one)).parts[: depth_of(wanted)] for one in found}) == 1:
                return found
    return []


def relocate(folder: Place, old: str, new: str) -> Relocated:
    """Tell a library that the files below a folder are now below another one.

    A file is taken to be there if one of the same size is; the next `index` run reads it if its
    time of change differs. Others stay as they are. Raises LibraryError if no file is below `old`,
    or if none of them is at its new place.
    """
    Manifest.read(folder)
    old, new = each_of([old, new])
    for given in filter(is_in_store, (old, new)):
        raise ConfigError(
            f"{given} is in an object store, where files cannot be told to have moved; index the "
            "new place, which recognises them by their content"
        )
    before, now = from_home(old).absolute(), from_home(new)
    with sole_writer(folder):
        known, done = Known.read(folder), Relocated()
        placed: dict[str, Candidate] = {}
        for one, depth in sorted(_below(known, before), key=lambda found: found[0].path):
            path = now.joinpath(*Path(one.location).parts[depth:])
            place = os.path.realpath(path)
            if reason := _why_not(known, one, place):
                done.kept.append(Failed(one.path, reason))
            else:
                placed[one.video] = Candidate(str(path), place, one.size, one.modified_ns)
                done.moved.append(str(path))
        _require_some(folder, old, new, done)
        begin(folder, "relocate")
        _table.place(folder, placed)
    return done


def _below(known: Known, folder: Path) -> Iterable[tuple[Stored, int]]:
    """The files below a folder, whose links may have been resolved, each with the number of parts
    of its place that are the folder's."""
    stored, found = [*known.by_video.values()], dict[str, tuple[Stored, int]]()
    for root in (place_of(folder), str(folder)):
        found |= {one.video: (one, depth_of(root)) for one in files_at(stored, root)}
    return found.values()


def _why_not(known: Known, stored: Stored, place: str) -> str:
    """Why a file is not taken to be at a place; empty if it is."""
    if any(other.video != stored.video for other in known.by_location.get(place, ())):
        return f"the library has another content at {place}"
    try:
        size = status_of(place).st_size
    except OSError as error:
        return f"it is not at {place} ({in_short(error)})"
    return "" if size == stored.size else f"{place} has {size} bytes, and it had {stored.size}"


def _require_some(folder: Place, old: str, new: str, done: Relocated) -> None:
    if not done.moved and not done.kept:
        raise LibraryError(
            f"{folder} has no file below {old}; give the folder as `location` has it in: "
            f"reeltune library list {in_shell(folder)} --json"
        )
    if not done.moved:
        first = done.kept[0]
        raise LibraryError(
            f"{old} has {counted(len(done.kept), 'file')}, of which none is below {new} (the "
            f"first, {first.path}: {first.reason}); give the folder that takes the place of {old}"
        )
