"""The Lance table of a library: every change is one atomic commit."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa

from reeltune.errors import LibraryError
from reeltune.media.files import Candidate
from reeltune.search.store.manifest import Manifest
from reeltune.search.store.schema import (
    CAPTION,
    CAPTIONED_BY,
    CAPTIONS,
    SINCE_4,
    schema,
)

NAME = "moments.lance"
KEEP_OLD = timedelta(hours=1)  # a reader may still be on a version that was replaced since


def exists(folder: Path) -> bool:
    """Whether a first version of the table was committed."""
    versions = folder / NAME / "_versions"
    return versions.is_dir() and any(versions.iterdir())


def create(folder: Path, manifest: Manifest) -> None:
    """Commit an empty table."""
    empty = schema(manifest).empty_table()
    lance.write_dataset(empty, str(folder / NAME), mode="create", data_storage_version="stable")


def open_table(folder: Path) -> lance.LanceDataset:
    """The newest version; raises LibraryError, naming the remedy, if it cannot be opened."""
    try:
        return lance.dataset(str(folder / NAME))
    except (ValueError, OSError) as error:
        raise LibraryError(
            f"{folder / NAME} cannot be opened ({_first_line(error)}); "
            f"mend it with: reeltune library repair {folder}"
        ) from error


def upgrade(folder: Path, manifest: Manifest) -> Manifest:
    """Bring a library of an older version to the layout that is written today.

    The manifest goes first, so a table of this version may lack columns until the next run.
    """
    if manifest != manifest.upgraded():
        manifest = manifest.upgraded()
        manifest.write(folder)
    _add_missing(open_table(folder), SINCE_4)
    return manifest


def _add_missing(table: lance.LanceDataset, fields: Sequence[pa.Field]) -> None:
    """Give a table the columns that it lacks, null in every row."""
    missing = [field for field in fields if field.name not in table.schema.names]
    if missing:
        table.add_columns(missing)


def append(folder: Path, files: Sequence[pa.Table]) -> None:
    """Add the rows of files, all or none of them; their contents must not be there yet."""
    if files:
        lance.write_dataset(pa.concat_tables(files), open_table(folder), mode="append")


def uncaptioned(folder: Path, by: str) -> list[dict[str, Any]]:
    """Moments without a caption that the model of fingerprint `by` wrote, in the order of time.

    A table that has no room for captions is given it.
    """
    _add_missing(open_table(folder), CAPTIONS)
    lacks = f"{CAPTION} is null or {CAPTIONED_BY} <> {_quote(by)}"
    columns = ["id", "location", "start", "end"]
    rows = open_table(folder).to_table(columns=columns, filter=lacks).to_pylist()
    return sorted(rows, key=lambda row: (row["location"], row["start"], row["id"]))


def write_captions(folder: Path, captions: Mapping[str, str], by: str) -> None:
    """Give moments, by their ids, captions that the model of fingerprint `by` wrote."""
    columns = {
        "id": list(captions),
        CAPTION: list(captions.values()),
        CAPTIONED_BY: [by] * len(captions),
    }
    merge = open_table(folder).merge_insert("id").when_matched_update_all()
    merge.execute(pa.table(columns))


def place(folder: Path, files: Mapping[str, Candidate]) -> None:
    """Say in which file each of these contents is now, all or none of them."""
    if not files:
        return
    table = open_table(folder)
    rows = table.to_table(columns=["id", "video"], filter=_is_one_of("video", list(files)))
    now = [files[video] for video in rows["video"].to_pylist()]
    columns = {
        "id": rows["id"],
        "path": [file.path for file in now],
        "location": [file.location for file in now],
        "size": [file.size for file in now],
        "modified": [file.modified_ns // 1000 for file in now],
        "modified_ns": [file.modified_ns for file in now],
    }
    layout = pa.schema([table.schema.field(name) for name in columns])
    table.merge_insert("id").when_matched_update_all().execute(pa.table(columns, schema=layout))


def remove(folder: Path, videos: Sequence[str]) -> None:
    """Take out all moments of these contents."""
    if videos:
        open_table(folder).delete(_is_one_of("video", videos))


def restore(folder: Path, version: int) -> None:
    """Make an older version the newest; raises LibraryError if it is not kept or not whole."""
    try:
        old = lance.dataset(str(folder / NAME), version=version)
        old.to_table(columns=["id"])  # opens every file of it
        old.restore()
    except (ValueError, OSError) as error:
        raise LibraryError(
            f"{folder} has no version {version} any more ({_first_line(error)}), so the change "
            "after it stays; bring the library up to date: reeltune index VIDEOS"
        ) from error


def tidy(folder: Path, keep: int | None = None) -> None:
    """Join small fragments, and drop versions before `keep` that no reader can still be on."""
    table = open_table(folder)
    table.optimize.compact_files()
    table.optimize.optimize_indices()
    versions = table.versions()
    replaced = [v["version"] for v in versions if v["timestamp"] < datetime.now() - KEEP_OLD]
    first = min(max(replaced, default=0), keep or table.version)  # the newest of an hour ago
    if old := [v["version"] for v in versions if v["version"] < first]:
        table.cleanup_old_versions(versions=old)


def _is_one_of(column: str, values: Sequence[str]) -> str:
    return f"{column} IN ({', '.join(map(_quote, values))})"


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
