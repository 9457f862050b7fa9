"""Remembers the version before the last change of a library, so that it can be taken back."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from reeltune.errors import LibraryError
from reeltune.search.store import table as _table
from reeltune.search.store import texts as _texts
from reeltune.search.store.lock import sole_writer
from reeltune.search.store.manifest import FILE_NAME as MANIFEST
from reeltune.search.store.manifest import Manifest
from reeltune.storage.atomic_file import write_atomically
from reeltune.storage.place import Place, remove_tree
from reeltune.storage.settings_file import read_json

FILE_NAME = "changes.json"
UNDO = "undo"  # what takes the last change back


@dataclass(frozen=True)
class Change:
    """What one command did to a library; all its commits are one change."""

    what: str  # such as "index" or "remove"
    before: int  # the version of the table that it found
    at: str  # when it began, UTC
    texts: int = 0  # the version of the texts that it found, 0 where there were none
    manifest: str | None = None  # the one that it found, where it put another table in its place

    @property
    def found(self) -> tuple[int, int]:
        """The versions of both tables."""
        return self.before, self.texts


def begin(folder: Place, what: str) -> None:
    """Note the versions that a command finds, which holds the lock and is about to write.

    A command that then writes nothing leaves the change before it the last one.
    """
    _write(folder, [*_last(folder), _found(folder, what)])


def replace_table(folder: Place, manifest: Manifest, what: str) -> None:
    """Put a library on another table, which is there, by its manifest, in one step; the table that
    it leaves is kept for `undo`."""
    now = Manifest.read(folder)
    _write(folder, [*_last(folder), replace(_found(folder, what), manifest=now.as_json())])
    manifest.write(folder)


def drop_spare_tables(folder: Place) -> None:
    """Delete tables of moments that neither the library nor `undo` needs."""
    kept = {_table.path_of(folder).name, *(_left(one) for one in _last(folder) if one.manifest)}
    for name in set(_table.tables(folder)) - kept:
        remove_tree(folder / name)


def undo(folder: Place) -> Change:
    """Take the last change back, and return it; the next call takes that back.

    Raises LibraryError if there is none, or if the version before it is not kept any more.
    """
    Manifest.read(folder)  # says where there is no library
    with sole_writer(folder):
        if not (last := _last(folder)):
            raise LibraryError(
                f"{folder} has no change that can be taken back; the last one of index, remove, "
                "relocate, reindex and undo is kept until the next"
            )
        if last[0].manifest:
            replace_table(folder, _manifest(last[0]), UNDO)
            return last[0]
        begin(folder, UNDO)
        _texts.restore(folder, last[0].texts)  # first, as what is lost of texts is told again
        _table.restore(folder, last[0].before)
    return last[0]


def tidy(folder: Place) -> None:
    """Join small fragments and drop versions that neither a reader nor `undo` may want."""
    last = _last(folder)
    _write(folder, last)  # so that what follows does not count as a change
    drop_spare_tables(folder)
    is_of_it = last and not last[0].manifest  # else the version is of the table that was left
    _table.tidy(folder, keep=last[0].before if is_of_it else None)
    _texts.tidy(folder, keep=last[0].texts if last else None)


def _write(folder: Place, changes: list[Change]) -> None:
    text = json.dumps([asdict(change) for change in changes], indent=2)
    write_atomically(folder / FILE_NAME, text.encode())


def _last(folder: Place) -> list[Change]:
    """The last change that wrote something, if one is noted."""
    try:
        noted = [Change(**fields) for fields in read_json(folder / FILE_NAME)]
        after = [*(change.found for change in noted[1:]), _versions(folder)]
        used = _table.path_of(folder).name
        return [
            one
            for one, now in zip(noted, after, strict=True)
            if (_left(one) != used if one.manifest else _wrote(one, now))
        ][-1:]
    except (OSError, ValueError, TypeError):
        return []  # none is noted, or the file is damaged


def _wrote(change: Change, now: tuple[int, int]) -> bool:
    """Whether versions of now come after those that a change found.

    `undo` ends with the moments, so that one which was killed before that is done again.
    """
    if change.what == UNDO and change.before == now[0]:
        return False
    return 0 < change.before <= now[0] and change.found != now


def _found(folder: Place, what: str) -> Change:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    before, texts = _versions(folder)
    return Change(what, before, now, texts)


def _manifest(change: Change) -> Manifest:
    """The manifest that a change found."""
    return Manifest.parse((change.manifest or "").encode(), MANIFEST)


def _left(change: Change) -> str:
    """The table that a change left for another."""
    return _manifest(change).table or _table.NAME


def _versions(folder: Place) -> tuple[int, int]:
    return _table.open_table(folder).version, _texts.version(folder)
