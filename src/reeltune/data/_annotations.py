"""Annotation files as benchmarks publish them: found, read, and checked record by record."""

import filecmp
import io
import json
import os
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Annotated, TypeVar, cast

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from reeltune.data._table import SEPARATORS, Table, read_table
from reeltune.errors import DataError, counted, first_fault
from reeltune.storage.text_file import read_text

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Row(BaseModel):
    """A record of an annotation file; fields that are not named here are passed over."""

    model_config = ConfigDict(frozen=True)


FileT = TypeVar("FileT", bound=BaseModel)
RowT = TypeVar("RowT", bound=Row)


def require_folder(folder: Path, dataset: str) -> None:
    """Raises DataError for a path that is not a folder."""
    if not folder.is_dir():
        raise DataError(
            f"{folder} is not a folder; `reeltune datasets {dataset}` says how it must look"
        )


def find_files(folder: Path, names: Sequence[str], dataset: str) -> list[Path]:
    """Files among `names` that lie in `folder` or one level below, in the order of `names`; hidden
    folders are passed over.

    Raises DataError for two files of one name that differ, of which one would be read and the other
    not.
    """
    require_folder(folder, dataset)
    with os.scandir(folder) as entries:  # videos may lie here too: no look at each file
        shown = (entry for entry in entries if not entry.name.startswith("."))
        below = sorted(Path(entry.path) for entry in shown if entry.is_dir())
    places = [[place / name for place in (folder, *below)] for name in names]
    found = [[path for path in paths if path.is_file()] for paths in places]
    return [_first(paths, dataset) for paths in found if paths]


def _first(paths: Sequence[Path], dataset: str) -> Path:
    """The first of some files, which must all have its content."""
    for other in paths[1:]:
        if not filecmp.cmp(paths[0], other, shallow=False):
            raise DataError(
                f"{paths[0]} and {other} differ, and one of them alone would be read; keep the one "
                f"that is meant (`reeltune datasets {dataset}` describes the file)"
            )
    return paths[0]


def find_file(folder: Path, names: Sequence[str], dataset: str) -> Path:
    """The first of `names` that exists. Raises DataError if none does."""
    found = find_files(folder, names, dataset)
    if not found:
        raise DataError(
            f"{folder} and the folders in it hold no {' or '.join(names)}; "
            f"`reeltune datasets {dataset}` says where to get it"
        )
    return found[0]


def read_json(path: Path, kind: type[FileT], dataset: str) -> FileT:
    """The checked content of a JSON file. Raises DataError with the file and the key."""
    return cast(FileT, _checked(_text_of(path, dataset), kind, str(path), dataset))


@lru_cache(maxsize=2)  # a file has all splits, which are read one after another
def _checked(text: str, kind: type[BaseModel], place: str, dataset: str) -> BaseModel:
    _require_keys_once(text, place, dataset)
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        raise _refused(place, error, dataset) from None


def read_jsonl(path: Path, kind: type[RowT], dataset: str) -> Iterator[tuple[int, RowT]]:
    """Line numbers and rows of a file with one JSON object a line; blank lines are passed over."""
    for number, line in read_lines(path, dataset):
        _require_keys_once(line, f"{path}, line {number}", dataset)
        try:
            yield number, kind.model_validate_json(line)
        except ValidationError as error:
            raise _refused(f"{path}, line {number}", error, dataset) from None


def read_csv(path: Path, kind: type[RowT], dataset: str) -> Iterator[tuple[int, RowT]]:
    """Rows of a CSV file with a header, each with the number of the line where it begins.

    An empty optional cell counts as absent; lines without any are passed over.
    """
    table = read_table(_text_of(path, dataset), kind.model_fields)
    _require_columns(table, kind, path, dataset)
    try:
        for number, values in table.rows():
            yield number, _row(table.columns, values, kind, f"{path}, line {number}", dataset)
    except ValueError as error:
        raise DataError(
            f"{path}, {error} (`reeltune datasets {dataset}` describes the file)"
        ) from None


def read_tabs(path: Path, kind: type[RowT], columns: Sequence[str], dataset: str) -> Iterator[RowT]:
    """Rows of a file of tab-separated `columns` without header or quotes."""
    for number, line in read_lines(path, dataset):
        yield _row(columns, line.split("\t"), kind, f"{path}, line {number}", dataset)


def read_lines(path: Path, dataset: str) -> Iterator[tuple[int, str]]:
    """Line numbers and lines of a text file, without their ends and without blank ones."""
    for number, line in enumerate(io.StringIO(_text_of(path, dataset)), start=1):
        if line.strip():
            yield number, line.rstrip("\r\n")


def _require_keys_once(text: str, place: str, dataset: str) -> None:
    """Refuse a key that occurs twice, for which readers of JSON silently take the last value."""

    def look(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            counts = Counter(key for key, _ in pairs)
            key, times = counts.most_common(1)[0]
            raise DataError(
                f"{place}: the key {key!r:.60} is there {times} times in one object; give it once "
                f"(`reeltune datasets {dataset}` describes the file)"
            )
        return found

    with suppress(ValueError, RecursionError):  # of what is no JSON, the one who reads it tells
        json.loads(text, object_pairs_hook=look)


def _require_columns(table: Table, kind: type[Row], path: Path, dataset: str) -> None:
    columns = table.columns
    lacking = _lacking(kind, columns)
    doubled = [name for name, times in Counter(columns).items() if name and times > 1]
    if doubled:
        raise DataError(
            f"{path}, line {table.header}: the column {doubled[0]} is there "
            f"{columns.count(doubled[0])} times, so its cells would be taken from one of them "
            "alone; name each column once"
        )
    if lacking:
        raise DataError(
            f"{path}, line {table.header}: there is no column {' or '.join(lacking)} among "
            f"{', '.join(columns) or 'none'}; the first line names the columns, with "
            f"{', '.join(SEPARATORS.values())} between (`reeltune datasets {dataset}`)"
        )


def _lacking(kind: type[Row], given: Container[str]) -> list[str]:
    """Names of required fields that are not given."""
    fields = kind.model_fields.items()
    return [name for name, field in fields if field.is_required() and name not in given]


def _row(
    columns: Sequence[str], values: Sequence[str], kind: type[RowT], place: str, dataset: str
) -> RowT:
    """Check one line; cells that hold only space are empty, even those beyond the columns."""
    surplus = [value for value in values[len(columns) :] if value.strip()]
    if surplus:
        raise DataError(
            f"{place}, has {counted(len(surplus), 'cell')} more than the "
            f"{len(columns)} wanted ({surplus[0]!r:.60} is too many); put a text that holds the "
            "separator in double quotes, or name the column it is in "
            f"(`reeltune datasets {dataset}` describes the file)"
        )
    told = dict(zip(columns, values, strict=False))
    cells = {column: value for column, value in told.items() if value.strip()}
    short, empty = _lacking(kind, told), _lacking(kind, cells)
    if short:
        raise DataError(
            f"{place}, ends after {len(values)} of {len(columns)} cells, before {short[0]} (at a "
            "line break within a text?); give the rest, or remove the line "
            f"(`reeltune datasets {dataset}` describes the file)"
        )
    if empty:
        raise DataError(
            f"{place}, {empty[0]}: the cell is empty; fill it or remove the line "
            f"(`reeltune datasets {dataset}` describes the file)"
        )
    try:
        return kind.model_validate(cells)
    except ValidationError as error:
        raise _refused(place, error, dataset) from None


def _text_of(path: Path, dataset: str) -> str:
    return read_text(path, f"`reeltune datasets {dataset}` says how it must look")


def _refused(place: str, error: ValidationError, dataset: str) -> DataError:
    """The first thing wrong, where it is, and what was wanted."""
    first, (key, said) = error.errors()[0], first_fault(error, "")
    if first["type"] == "string_too_short":
        what = "the text is empty; fill it or remove its entry"
    else:
        says_all = first["type"] in ("json_invalid", "missing", "value_error")
        got = "" if says_all else f" (got {first['input']!r:.60})"
        what = f"{said}{got}; mend it"
    return DataError(
        f"{place}{', ' * bool(key)}{key}: {what} (`reeltune datasets {dataset}` describes the file)"
    )
