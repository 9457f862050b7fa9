"""The Lance table of a library: every change is one atomic commit."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pyarrow as pa

from reeltune.errors import LibraryError
from reeltune.media.files import Candidate
from reeltune.search.store._sql import is_one_of, quote
from reeltune.search.store.checksum import followed, with_checksums
from reeltune.search.store.dataset import Table
from reeltune.search.store.manifest import TABLES, Manifest
from reeltune.search.store.schema import (
    CAPTION,
    CAPTIONED_BY,
    CAPTIONS,
    CHECKSUM,
    RIDING,
    SINCE_4,
    schema,
)
from reeltune.storage.place import Place

NAME = "moments.lance"  # until a library is made anew with another model
KEEP_OLD = timedelta(hours=1)  # a reader may still be on a version that was replaced since


def path_of(folder: Place) -> Place:
    """The table that a library's manifest names; the newest one where none can be read."""
    try:
        return folder / (Manifest.read(folder).table or NAME)
    except LibraryError:
        return folder / max(tables(folder), key=_number, default=NAME)


def tables(folder: Place) -> list[str]:
    """Names of the tables in a library, of which one is in use."""
    return [path.name for path in folder.glob("moments*.lance") if re.match(TABLES, path.name)]


def next_name(folder: Place) -> str:
    """A name for a table that comes after those that are there."""
    return f"moments-{max(map(_number, [NAME, *tables(folder)])) + 1}.lance"


def _number(name: str) -> int:
    return int("".join(filter(str.isdecimal, name)) or 1)


def exists(folder: Place) -> bool:
    """Whether a first version of the table was committed."""
    return Table.exists(path_of(folder))


def create(folder: Place, manifest: Manifest) -> None:
    """Commit an empty table."""
    Table.create(path_of(folder), schema(manifest).empty_table())


def open_table(folder: Place) -> Table:
    """The newest version; raises LibraryError, naming the remedy, if it cannot be opened."""
    return Table.open(path_of(folder))


def told(table: Table) -> Manifest | None:
    """The manifest that a table tells of; None if it tells of none.

    Raises NewerLibraryError for one that a newer Reeltune wrote.
    """
    text = (table.schema.metadata or {}).get(RIDING.encode(), b"")
    try:
        return Manifest.parse(text, table.path)
    except (ValueError, RecursionError):
        return None


def keep(folder: Place, manifest: Manifest) -> None:
    """Write a library's manifest, and then into its table as well, for `repair` and `undo`."""
    manifest.write(folder)
    table = open_table(folder)
    if told(table) != manifest:
        table.write_metadata({RIDING: manifest.as_json()})


def upgrade(folder: Place, manifest: Manifest) -> Manifest:
    """Bring a library of an older version to the layout that is written today.

    The manifest goes first, so a table of this version may lack columns until the next run.
    """
    manifest = manifest.upgraded()
    keep(folder, manifest)
    _add_missing(open_table(folder), SINCE_4)
    table = open_table(folder)
    if not table.is_sealed():  # as an older Reeltune left it, or one that was killed
        table.seal()
    return manifest


def _add_missing(table: Table, fields: Sequence[pa.Field]) -> None:
    """Give a table the columns that it lacks, null in every row."""
    missing = [field for field in fields if field.name not in table.schema.names]
    if missing:
        table.add_columns(missing)


def _change(table: Table, rows: pa.Table) -> None:
    """Give rows, by their ids, other values in some columns; checksums follow."""
    names = [name for name in rows.column_names if name != "id"]
    old = table.to_table(columns=["id", CHECKSUM, *names], filter=is_one_of("id", rows["id"]))
    places = {id: place for place, id in enumerate(rows["id"].to_pylist())}
    layout = pa.schema([old.schema.field(name) for name in ("id", *names)])
    new = rows.select(layout.names).cast(layout)
    new = new.take([places[id] for id in old["id"].to_pylist()])
    sums = followed(old, new.select(names))
    table.merge(new.append_column(old.schema.field(CHECKSUM), sums))


def append(folder: Place, files: Sequence[pa.Table]) -> None:
    """Add the rows of files, all or none of them; their contents must not be there yet."""
    if files:
        open_table(folder).append(with_checksums(pa.concat_tables(files)))


def uncaptioned(folder: Place, by: str) -> list[dict[str, Any]]:
    """Moments without a caption that the model of fingerprint `by` wrote, in the order of time.

    A table that has no room for captions is given it.
    """
    _add_missing(open_table(folder), CAPTIONS)
    lacks = f"{CAPTION} is null or {CAPTIONED_BY} <> {quote(by)}"
    columns = ["id", "location", "start", "end"]
    rows = open_table(folder).to_table(columns=columns, filter=lacks).to_pylist()
    return sorted(rows, key=lambda row: (row["location"], row["start"], row["id"]))


def write_captions(folder: Place, captions: Mapping[str, str], by: str) -> None:
    """Give moments, by their ids, captions that the model of fingerprint `by` wrote."""
    columns = {
        "id": list(captions),
        CAPTION: list(captions.values()),
        CAPTIONED_BY: [by] * len(captions),
    }
    _change(open_table(folder), pa.table(columns))


def place(folder: Place, files: Mapping[str, Candidate]) -> None:
    """Say in which file each of these contents is now, all or none of them."""
    if not files:
        return
    table = open_table(folder)
    rows = table.to_table(columns=["id", "video"], filter=is_one_of("video", list(files)))
    now = [files[video] for video in rows["video"].to_pylist()]
    columns = {
        "id": rows["id"],
        "path": [file.path for file in now],
        "location": [file.location for file in now],
        "size": [file.size for file in now],
        "modified": [file.modified_ns // 1000 for file in now],
        "modified_ns": [file.modified_ns for file in now],
    }
    _change(table, pa.table(columns))


def remove(folder: Place, videos: Sequence[str]) -> None:
    """Take out all moments of these contents."""
    if videos:
        open_table(folder).delete(is_one_of("video", videos))


def remove_units(folder: Place, units: Iterable[str]) -> None:
    """Take out all moments of these units of work."""
    open_table(folder).delete(is_one_of("unit", units))


def restore(folder: Place, version: int) -> None:
    """Make an older version the newest; what the library remembers beside its rows is that of then,
    if it has changed since. Raises LibraryError if that version is not kept or not whole."""
    now = told(open_table(folder))
    restored(folder, path_of(folder), version)
    then = told(open_table(folder))
    if then and now and then.choices != now.choices:
        Manifest.read(folder).choosing(then.choices).write(folder)


def restored(folder: Place, path: Place, version: int) -> None:
    """Make an older version of a table of a library the newest.

    Raises LibraryError if that version is not kept or not whole.
    """
    try:
        old = Table.open(path, version)
        old.to_table(columns=["id"])  # opens every file of it
        old.restore()
    except LibraryError as error:
        raise LibraryError(
            f"{folder} has no version {version} any more, so the change after it stays; bring the "
            "library up to date: reeltune index VIDEOS"
        ) from error


def tidy(folder: Place, keep: int | None = None) -> None:
    """Join small fragments, and drop versions before `keep` that no reader can still be on."""
    open_table(folder).tidy(KEEP_OLD, keep)
