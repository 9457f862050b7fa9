"""The one door to Lance: a table on disk whose errors all name what mends them."""

import errno
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa
from lance.file import LanceFileReader

from reeltune.errors import LibraryError, in_shell
from reeltune.search.store import seal
from reeltune.storage.lease import require_held
from reeltune.storage.object_path import ObjectPath
from reeltune.storage.place import Place, place

PLACE = (1 << 32) - 1  # bits of a row's address that are its place in the files of its fragment
STORE = re.compile(r"(Generic \S+ error: .*?)(?:, /|\n|$)")  # where the store refused
SYSTEM = re.compile(r"\(os error (\d+)\)")  # in a message of Lance, where the system refused


class Table:
    """One version of a Lance table, and the next ones where it is changed.

    Methods are those of `lance.LanceDataset`. An error of Lance or Arrow is a LibraryError that
    names the remedy, and so is a panic of Lance, which is no Exception.
    """

    def __init__(self, dataset: lance.LanceDataset) -> None:
        self._dataset = dataset

    @staticmethod
    def exists(path: Place) -> bool:
        """Whether a first version of a table was committed there."""
        return bool(seal.manifests(path)) or (path / seal.NAME).exists()

    @classmethod
    def open(cls, path: Place, version: int | None = None) -> "Table":
        """The newest version, or an older one."""
        with guarded(path):
            require_files(path)
            seal.require_whole(path, version)
            dataset = lance.dataset(str(path), version=version)
            if dataset.version < 1:  # what a manifest of zeros gives
                raise OSError("its newest manifest is empty")
            return cls(dataset)

    @classmethod
    def create(cls, path: Place, rows: pa.Table) -> "Table":
        """A new table, in one commit."""
        with guarded(path):
            made = cls(lance.write_dataset(rows, str(path), data_storage_version="stable"))
            made.seal()
            return made

    @property
    def path(self) -> Place:
        """The table's folder."""
        return place(self._dataset.uri)

    @property
    def uri(self) -> str:
        """The table's folder, as text."""
        return str(self._dataset.uri)

    @property
    def version(self) -> int:
        """The number of this version; each commit makes the next."""
        return int(self._dataset.version)

    @property
    def schema(self) -> pa.Schema:
        """Columns of this version."""
        with self._guarded():
            return self._dataset.schema

    def field_id(self, column: str) -> int:
        """The number that Lance gave a column."""
        with self._guarded():
            return int(self._dataset.lance_schema.field(column).id())

    def count_rows(self, filter: str | None = None) -> int:
        """How many rows there are, or pass a filter."""
        with self._guarded():
            return int(self._dataset.count_rows(filter=filter))

    def to_table(self, **options: Any) -> pa.Table:
        """Rows in memory; options are those of `scanner`."""
        return self.scanner(**options).to_table()

    def scanner(self, **options: Any) -> "Scan":
        """A way through the rows; options are those of `lance.LanceDataset.scanner`."""
        with self._guarded():
            return Scan(self._dataset.scanner(**options), self.path)

    def take(self, places: Sequence[int], columns: Sequence[str] | None = None) -> pa.Table:
        """Rows by their places."""
        with self._guarded():
            return self._dataset.take(list(places), columns=columns and list(columns))

    def get_fragments(self) -> "list[Fragment]":
        """The parts of which each commit adds one."""
        with self._guarded():
            return [Fragment(fragment, self.path) for fragment in self._dataset.get_fragments()]

    def indices(self) -> list[str]:
        """Names of the indices of columns."""
        with self._guarded():
            return [index.name for index in self._dataset.describe_indices()]

    def metrics(self) -> list[str]:
        """How the indices of vectors compare them, such as "l2" or "dot"."""
        with self._guarded():
            every = [index.details for index in self._dataset.describe_indices()]
        return [one["metric_type"].lower() for one in every if "metric_type" in one]

    def small_files(self) -> list[str]:
        """Names, below the table's folder, of what this version needs beside its data: its
        manifest, lists of deleted rows, and indices."""
        with self._guarded():
            files = self._dataset.tracked_files(min_version=self.version).read_all().to_pylist()
        kinds = ("manifest", "deletion file", "index file")
        return [file["path"] for file in files if file["type"] in kinds]

    def validate(self) -> None:
        """Raise LibraryError where the files of the table do not agree."""
        with self._guarded():
            self._dataset.validate()

    def is_sealed(self) -> bool:
        """Whether damage of these would show."""
        sealed = seal.read(self.path)
        return sealed is not None and sealed.version == self.version

    def broken_indices(self) -> list[str]:
        """Names of files of indices that are not as they were written."""
        sealed = seal.read(self.path)
        if sealed is None or sealed.version != self.version:
            return []
        return sealed.broken(self.path, sealed.hashes.keys() - sealed.copies.keys())

    # Changes, each of them one commit.

    def append(self, rows: pa.Table) -> None:
        """Add rows."""
        with self._commit():
            self._dataset = lance.write_dataset(rows, self._dataset, mode="append")

    def merge(self, rows: pa.Table, insert: bool = False, drop: str | None = None) -> None:
        """Give rows, by their ids, the values of some columns; `insert` adds those of other ids,
        and `drop` names in SQL which of the others go."""
        with self._commit():
            merge = self._dataset.merge_insert("id").when_matched_update_all()
            if insert:
                merge = merge.when_not_matched_insert_all()
            if drop is not None:
                merge = merge.when_not_matched_by_source_delete(drop)
            merge.execute(rows)

    def delete(self, where: str) -> None:
        """Take out the rows that a filter names."""
        with self._commit():
            self._dataset.delete(where)

    def drop(self, fragments: Sequence[int], rows: Mapping[int, Sequence[int]]) -> None:
        """Take out whole fragments and rows of others, by their places in the fragment's files, of
        which none is read."""
        with self._commit():
            left = {n: self._dataset.get_fragment(n).delete_rows(rows[n]) for n in rows}
            gone = [*fragments, *(number for number in left if left[number] is None)]
            changed = [fragment for fragment in left.values() if fragment is not None]
            operation = lance.LanceOperation.Delete(changed, gone, "true")
            self._dataset = lance.LanceDataset.commit(
                self.uri, operation, read_version=self.version
            )

    def add_columns(self, fields: Sequence[pa.Field]) -> None:
        """Add columns, null in every row."""
        with self._commit():
            self._dataset.add_columns(list(fields))

    def create_index(self, column: str, kind: str, **options: Any) -> None:
        """Index a column."""
        with self._commit():
            self._dataset.create_index(column, kind, **options)

    def write_metadata(self, metadata: dict[str, str]) -> None:
        """Say anew what rides along with the columns."""
        with self._commit():
            self._dataset.update_schema_metadata(metadata, replace=True)

    def tidy(self, keep: timedelta, since: int | None = None) -> None:
        """Join small fragments, index what is not yet, and drop versions that were replaced longer
        ago than `keep`, but none from `since` on."""
        with self._commit():
            self._dataset.optimize.compact_files()
            self._dataset.optimize.optimize_indices()
            versions = self._dataset.versions()
            limit = datetime.now() - keep
            replaced = [v["version"] for v in versions if v["timestamp"] < limit]
            first = min(max(replaced, default=0), since or self.version)  # the newest of then
            if old := [v["version"] for v in versions if v["version"] < first]:
                self._dataset.cleanup_old_versions(versions=old)

    def restore(self) -> None:
        """Make this version the newest."""
        with self._commit():
            self._dataset.restore()

    def seal(self) -> None:
        """Seal the newest version."""
        newest = Table.open(self.path)
        seal.write(self.path, newest.version, newest.small_files())

    @contextmanager
    def _commit(self) -> Iterator[None]:
        path = self.path
        with self._guarded():
            if isinstance(path, ObjectPath):
                require_held(path)
            yield
            self.seal()

    def _guarded(self) -> AbstractContextManager[None]:
        return guarded(self.path)


class Scan:
    """A way through rows of a table."""

    def __init__(self, scanner: Any, path: Place) -> None:
        self._scanner, self._path = scanner, path

    @property
    def projected_schema(self) -> pa.Schema:
        """Columns of the result."""
        with guarded(self._path):
            return self._scanner.projected_schema

    def explain_plan(self) -> str:
        """How the rows are found; raises LibraryError for a filter that makes no sense, without
        reading a row."""
        with guarded(self._path):
            return str(self._scanner.explain_plan())

    def to_table(self) -> pa.Table:
        """All rows, in memory."""
        with guarded(self._path):
            return self._scanner.to_table()

    def to_batches(self) -> Iterator[pa.RecordBatch]:
        """Rows, a batch at a time."""
        with guarded(self._path):
            batches = iter(self._scanner.to_batches())
        while True:
            with guarded(self._path):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch


class Fragment:
    """A part of a table: data files and, where rows were taken out, a file that says which."""

    def __init__(self, fragment: Any, path: Place) -> None:
        self._fragment, self._path = fragment, path

    @property
    def fragment_id(self) -> int:
        """Its number in the table."""
        return int(self._fragment.fragment_id)

    @property
    def physical_rows(self) -> int:
        """How many rows its files hold, with those that were taken out."""
        with guarded(self._path):
            return int(self._fragment.physical_rows)

    def files(self) -> list[Place]:
        """The files that hold its rows."""
        with guarded(self._path):
            return [self._path / "data" / file.path for file in self._fragment.data_files()]

    def pages(self, field: int) -> "list[Page]":
        """Where the column of that number lies, part after part."""
        with guarded(self._path):
            found = []
            for path, file in zip(self.files(), self._fragment.data_files(), strict=True):
                if field in file.fields:
                    columns = LanceFileReader(str(path)).metadata().columns
                    pages = columns[file.column_indices[file.fields.index(field)]].pages
                    found += [Page(path, [(b.position, b.size) for b in p.buffers]) for p in pages]
            return found

    def places(self) -> list[int]:
        """The place in the files of each row that was not taken out."""
        rows = self.scanner(columns=[], with_row_address=True).to_table()
        return [address & PLACE for address in rows["_rowaddr"].to_pylist()]

    def scanner(self, **options: Any) -> Scan:
        """A way through its rows; options are those of `lance.LanceDataset.scanner`."""
        with guarded(self._path):
            return Scan(self._fragment.scanner(**options), self._path)


@dataclass(frozen=True)
class Page:
    """Consecutive rows of a column in a file."""

    path: Place
    buffers: list[tuple[int, int]]  # where each begins and its size, in bytes


def require_files(folder: Place) -> None:
    """Raise LibraryError where anything below a table's folder is neither a file nor a folder, such
    as a named pipe, which Lance would wait for."""
    if isinstance(folder, ObjectPath) or not folder.is_dir():
        return  # a store has no pipes; where there is none, that is said where it is opened
    with os.scandir(str(folder)) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                require_files(Path(entry.path))
            elif not entry.is_file() and os.path.exists(entry.path):
                raise LibraryError(f"{entry.path} is no file of a library but a pipe; remove it")


@contextmanager
def guarded(path: Place) -> Iterator[None]:
    """Turn an error of Lance about the table at `path` into a LibraryError with its remedy."""
    try:
        yield
    except LibraryError:
        raise
    except (Exception, BaseException) as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise  # Ctrl-C and the like
        raise LibraryError(_said(path, error)) from error


def _said(path: Place, error: BaseException) -> str:
    if isinstance(path, ObjectPath) and (refused := STORE.search(str(error))):
        return f"{path} cannot be used: {refused[1]}; see to the connection and try again"
    first = (str(error).splitlines() or [type(error).__name__])[0]
    number = SYSTEM.search(str(error))
    code = int(number[1]) if number else getattr(error, "errno", None)
    if code not in (None, errno.ENOENT):
        return f"{path} cannot be used: {os.strerror(int(code))}; see to its disk, and try again"
    reason = first.split(", /")[0]
    mend = f"reeltune library repair {in_shell(path.parent)}"
    return f"{path} is damaged ({reason}); mend it with: {mend}"
