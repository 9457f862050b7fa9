"""The Lance table of a library: every change is one atomic commit."""

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
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
    Moments,
    schema,
    to_table,
)

NAME = "moments.lance"
KEEP_OLD = timedelta(hours=1)  # a reader may still be on a version this old


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


def append(folder: Path, batch: Sequence[Moments], manifest: Manifest) -> None:
    """Add files, all or none of them; rows of a file's former content go in the same commit."""
    now_us = time.time_ns() // 1000
    rows = pa.concat_tables([to_table(moments, manifest, now_us) for moments in batch])
    table = open_table(folder)
    locations = ", ".join(_quote(moments.file.location) for moments in batch)
    stale = f"location IN ({locations})"
    if table.count_rows(filter=stale) == 0:
        lance.write_dataset(rows, table, mode="append")
        return
    for field in CAPTIONS:  # which the new content does not have yet
        if field.name in table.schema.names:
            rows = rows.append_column(field, pa.nulls(rows.num_rows, field.type))
    merge = table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
    merge.when_not_matched_by_source_delete(stale).execute(rows)


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


def move(folder: Path, video: str, to: Candidate) -> None:
    """Give the moments of one content another place on disk."""
    open_table(folder).update(
        {
            "path": _quote(to.path),
            "location": _quote(to.location),
            "modified": f"to_timestamp_micros({to.modified_ns // 1000})",
            "modified_ns": str(to.modified_ns),
        },
        where=f"video = {_quote(video)}",
    )


def remove(folder: Path, videos: Sequence[str]) -> None:
    """Take out all moments of these contents."""
    if videos:
        open_table(folder).delete(f"video IN ({', '.join(map(_quote, videos))})")


def tidy(folder: Path) -> None:
    """Join small fragments and drop versions that no reader can still be on."""
    table = open_table(folder)
    table.optimize.compact_files()
    table.optimize.optimize_indices()
    table.cleanup_old_versions(older_than=KEEP_OLD)


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
