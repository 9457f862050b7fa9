"""Moments of a library as a zip of clips on this machine."""

import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from pydantic import TypeAdapter, ValidationError

from reeltune.errors import ConfigError, LibraryError, MediaError, in_short
from reeltune.records import Moment
from reeltune.search._on_disk import remark_on
from reeltune.search.clip_archive import LIST, MOST, ClipArchive, SavedClips
from reeltune.search.files import stored_file
from reeltune.search.moments import moments_by_id
from reeltune.search.store.dataset import Table
from reeltune.storage.atomic_file import replacing
from reeltune.storage.fetched import is_in_store, on_disk
from reeltune.storage.outputs import require_new_file
from reeltune.storage.place import Place

LONGEST = 16 << 20  # bytes of a list that is read


def ids_of(moments: Moment | str | Sequence[Moment | str]) -> list[str]:
    """The ids of moments, each once; raises ConfigError for none, and for too many of them."""
    given = [moments] if isinstance(moments, Moment | str) else moments
    plain = (one.id if isinstance(one, Moment) else one for one in given)
    ids = [*dict.fromkeys(id.removeprefix("#") for id in plain)]
    if not 0 < len(ids) <= MOST:
        raise ConfigError(
            f"{len(ids)} moments were named, and a zip of clips has 1 to {MOST}; name as many"
        )
    return ids


def missing(id: str) -> str:
    """Why a moment that a library has not is left out."""
    return f"the library has no moment #{id}; take the id of a hit"


def require_zip(out: Path, force: bool) -> None:
    """Raise ConfigError unless a zip can be written to `out`."""
    if out.suffix.lower() != ".zip":
        raise ConfigError(f"{out} is to be a zip; end its name in .zip")
    require_new_file(out, force)


def save_clips(
    folder: Place, table: Table, ids: Sequence[str], out: Path, exact: bool
) -> SavedClips:
    """Write the moments of these ids to `out`; see `Library.save_clips`."""
    found = moments_by_id(table, ids)
    numbered = [(number, found[id]) for number, id in enumerate(ids, 1) if id in found]
    by_file = groupby(sorted(numbered, key=lambda one: one[1].file), lambda one: one[1].file)
    with replacing(out) as half, ClipArchive(half, exact) as archive:
        for number, id in enumerate(ids, 1):
            if id not in found:
                archive.leave_out(number, id, missing(id))
        for file, own in by_file:
            _add(archive, folder, file, [*own])
        done = archive.finish()
    return SavedClips(out=str(out), clips=done.clips, left_out=done.left_out)


def _add(
    archive: ClipArchive, folder: Place, file: str, numbered: Sequence[tuple[int, Moment]]
) -> None:
    """Cut out moments of one file, which is fetched once where it is in a store."""
    stored = stored_file(folder, file)
    try:
        if not is_in_store(stored.location) and (remark := remark_on(stored)):
            raise MediaError(stored.path, remark)
        with on_disk(stored.location) as video:
            for number, moment in numbered:
                archive.add(number, moment, video)
    except MediaError as error:
        for number, moment in numbered:
            archive.leave_out(number, moment.id, error.reason, moment)


def read_list(place: Path, out: Path) -> SavedClips:
    """What the list of a zip at `place` says, of clips that are to be at `out`.

    Raises LibraryError for what is no such zip.
    """
    try:
        with ZipFile(place) as archive:
            if archive.getinfo(LIST).file_size > LONGEST:
                raise ValueError("its list is too long")
            lists: dict[str, Any] = json.loads(archive.read(LIST))
        return TypeAdapter(SavedClips).validate_python({**lists, "out": str(out)})
    except (BadZipFile, LookupError, TypeError, ValueError, ValidationError) as error:
        raise LibraryError(f"what came is no zip of clips ({in_short(error)})") from error
