"""Mends a library: keeps every row that can be read, and sets aside what it cannot use."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

import pyarrow as pa

from reeltune.errors import LibraryError, NewerLibraryError, counted, in_shell
from reeltune.search.maintain import verify
from reeltune.search.store import changes, seal
from reeltune.search.store import table as _table
from reeltune.search.store import texts as _texts
from reeltune.search.store.checksum import differing
from reeltune.search.store.dataset import Fragment, Table
from reeltune.search.store.lock import sole_writer
from reeltune.search.store.manifest import FILE_NAME, Manifest
from reeltune.search.store.nearest import build_index
from reeltune.storage.place import Place, copy, move

ASIDE = "set_aside"  # a folder in the library, for what no command reads any more
STEP = 128  # rows that are read, and lost, at once


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """A table of a library, in words."""

    rows: str
    units: str
    of_it: str  # after the number of a version
    again: str  # what brings back some rows
    all_again: str  # what brings back all of them


MOMENTS = _Kind(
    rows="moments",
    units="files",
    of_it="",
    again="index their videos again",
    all_again="index the videos again",
)
WORDS_AGAIN = "the next index run finds the words again"
TEXTS = _Kind(
    rows="phrases",
    units="channels of files",
    of_it=f" of {_texts.NAME}",
    again=WORDS_AGAIN,
    all_again=WORDS_AGAIN,
)


def repair(folder: Place, go_back: bool = False) -> list[str]:
    """Mend what `verify` finds; returns what was done, in words.

    What a table needs beside its rows is put back from its copies or, as an index, made anew. Rows
    that cannot be read or have changed cost the files that they are of and no others; they are
    taken out, so that the next `index` run makes them again. Only where the newest version itself
    cannot be opened and has no copy, and `go_back` allows it, the newest one that can be takes its
    place. What was damaged is set aside in the library's folder and never deleted.

    Errors: `LibraryError` where there is no library, where a newer Reeltune wrote it, where going
    back is needed and not allowed, and where nothing can be read.
    """
    done: list[str] = []
    if not (folder / FILE_NAME).exists() and not _table.exists(folder):
        Manifest.read(folder)  # says that there is no library
    _readable_manifest(folder)  # refuses one of a newer Reeltune
    with sole_writer(folder):
        if _table.exists(folder):
            _restore_table(_table.path_of(folder), MOMENTS, go_back, done)
        else:
            _begin_anew(folder, done)
        _restore_manifest(folder, done)
        _restore_index(_table.open_table(folder), done)
        _drop_damaged(folder, _table.open_table(folder), MOMENTS, done)
        _restore_texts(folder, done)
        health = verify(folder)
        if health.units:
            units = set(health.units)
            _table.remove_units(folder, units)
            done.append(
                f"took out what is at fault, {len(units)} of {counted(health.files, 'file')}; "
                "index it again"
            )
        if health.text_units:
            units = set(health.text_units)
            _texts.remove_units(folder, units)
            done.append(
                f"took out the words of {counted(len(units), 'channel')} of files, which are at "
                f"fault; {WORDS_AGAIN}"
            )
        if not (table := _table.open_table(folder)).is_sealed():
            table.seal()
        _texts.seal(folder)
    return done


def _readable_manifest(folder: Place) -> Manifest | None:
    """None where there is none, or a damaged one; raises NewerLibraryError."""
    try:
        return Manifest.read(folder)
    except NewerLibraryError:
        raise
    except LibraryError:
        return None


def _restore_table(path: Place, kind: "_Kind", go_back: bool, done: list[str]) -> None:
    """Bring back a table of a library that can be opened."""
    folder = path.parent
    version = _newest_sound(folder, path, done)
    unusable = [file for number, file in seal.manifests(path) if number > version]
    if not unusable:
        return
    left = f"version {version}{kind.of_it} with {_units_of(Table.open(path, version))} {kind.units}"
    if not go_back:
        raise LibraryError(
            f"the newest version of {path} cannot be opened, and the newest one that can is "
            f"{left}; later ones are to be indexed again. "
            f"Go back to it by: reeltune library repair {in_shell(folder)} --yes"
        )
    for file in unusable:
        _set_aside(folder, file)
    (folder / changes.FILE_NAME).unlink(missing_ok=True)  # numbers of versions it names
    done.append(f"went back to {left}, the newest that can be opened; {kind.all_again}")


def _begin_anew(folder: Place, done: list[str]) -> None:
    kept = _readable_manifest(folder) or _nothing_tells(folder)
    if (_table.path_of(folder)).exists():
        _set_aside(folder, _table.path_of(folder))
    _table.create(folder, kept)
    done.append("made the missing table, empty; index the videos again")


def _restore_texts(folder: Place, done: list[str]) -> None:
    """Bring back words that can be read; as the next run finds what is missing of them, an older
    version will do without asking, and if need be none."""
    path = folder / _texts.NAME
    if not path.exists():
        return
    try:
        if not Table.exists(path):
            raise LibraryError("it has no version")
        _restore_table(path, TEXTS, True, done)
        table = Table.open(path)
        if table.schema.equals(_texts.SCHEMA):
            _drop_damaged(folder, table, TEXTS, done)
            return
    except LibraryError:
        pass
    _set_aside(folder, path)
    done.append(f"set aside {_texts.NAME}, of which no version can be used; {WORDS_AGAIN}")


def _newest_sound(folder: Place, path: Place, done: list[str]) -> int:
    """The newest version that can be opened, once what it has copies of is put back."""
    sealed = seal.read(path)
    versions = {version for version, _ in seal.manifests(path)}
    for version in sorted(versions | ({sealed.version} if sealed else set()), reverse=True):
        if sealed and version == sealed.version:
            _put_back(folder, path, sealed, done)
        if _opens(path, version):
            return version
    raise LibraryError(
        f"{folder} cannot be mended: no version of its table can be opened; "
        f"index again: reeltune index VIDEOS --library NEW"
    )


def _put_back(folder: Place, path: Place, sealed: seal.Seal, done: list[str]) -> None:
    """Put back what tells of the rows of a version, from its copies."""
    for name in sealed.broken(path, sealed.copies):
        if (path / name).exists():
            _set_aside(folder, path / name)
        sealed.put_back(path, name)
        done.append(f"put back {name} of {path.name} from its copy")


def _restore_index(table: Table, done: list[str]) -> None:
    """Make a damaged index anew."""
    if table.broken_indices():
        build_index(table)
        done.append("built the damaged index anew")


def _opens(path: Place, version: int) -> bool:
    try:
        Table.open(path, version).get_fragments()
    except LibraryError:
        return False
    return True


def _units_of(table: Table) -> int:
    """How many units of work are in the rows of a table that can be read."""
    units: set[str] = set()
    for part in table.get_fragments():
        with suppress(LibraryError):
            for _, rows in _steps(part, columns=["unit"]):
                units.update([] if rows is None else rows["unit"].to_pylist())
    return len(units)


def _drop_damaged(folder: Place, table: Table, kind: "_Kind", done: list[str]) -> None:
    """Take out rows that cannot be read, or are not as they were written; their files, which go
    when old versions are dropped, are kept aside."""
    whole: list[int] = []
    some: dict[int, list[int]] = {}
    lost, count = 0, table.count_rows()
    for part in table.get_fragments():
        try:
            bad = [place for places, rows in _steps(part) for place in _damaged(places, rows)]
            some |= {part.fragment_id: bad} if bad else {}
            lost += len(bad)
        except LibraryError:  # which of its rows were taken out cannot be told
            whole.append(part.fragment_id)
            lost += part.physical_rows
        if part.fragment_id in {*whole, *some}:
            for file in (file for file in part.files() if file.exists()):
                _set_aside(folder, file, _link)
    if whole or some:
        table.drop(whole, some)
        done.append(f"took out {lost} of {count} {kind.rows}, which are damaged; {kind.again}")


def _steps(part: Fragment, **options: Any) -> Iterator[tuple[list[int], pa.Table | None]]:
    """Rows of a part, a few at a time and with their places; None for those that cannot be read."""
    places = part.places()
    for at in range(0, len(places), STEP):
        try:
            rows = part.scanner(offset=at, limit=STEP, **options).to_table()
        except LibraryError:
            rows = None
        yield places[at : at + STEP], rows


def _damaged(places: list[int], rows: pa.Table | None) -> list[int]:
    if rows is None:
        return places
    return [place for place, bad in zip(places, differing(rows), strict=True) if bad]


def _set_aside(folder: Place, path: Place, how: Callable[[Place, Place], object] = move) -> None:
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    (folder / ASIDE).mkdir(exist_ok=True)
    how(path, folder / ASIDE / f"{now}-{path.name}")


def _link(path: Place, to: Place) -> None:
    """Give a file, which never changes, a second name."""
    try:
        os.link(str(path), str(to))
    except OSError:  # the file system has no links, or it is a store
        copy(path, to)


def _restore_manifest(folder: Place, done: list[str]) -> None:
    """Write the library's manifest from the table, where it is lost or says what the table does
    not."""
    kept, told = _readable_manifest(folder), _table.told(_table.open_table(folder))
    if kept and (told is None or told.settings_hash() == kept.settings_hash()):
        return
    told = told or _nothing_tells(folder)
    if (folder / FILE_NAME).exists():
        _set_aside(folder, folder / FILE_NAME)
    _table.upgrade(folder, told)
    out = ", ".join(told.exclude) or "nothing"
    channels = " and ".join(told.channels)
    words = f"words that are {channels}" if channels else "no words"
    by = f" (--speech {told.speech})" if told.speech else ""
    done.append(
        f"wrote {FILE_NAME} again from the table; it leaves out {out} and finds {words}{by}"
    )


def _nothing_tells(folder: Place) -> NoReturn:
    raise LibraryError(
        f"{folder} cannot be mended: neither {FILE_NAME} nor the table says what made it; "
        f"index again: reeltune index VIDEOS --library NEW"
    )
