"""Tables with a header, in the dialects of CSV that spreadsheets and programs write."""

import csv
import io
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BeforeValidator

SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons"}  # the first wins a tie
NAMED = re.compile(r'"?sep=([^"\w\n])"?;*\n', re.IGNORECASE)  # which tells Excel
DECIMAL = re.compile(r"\s*[+-]?\d*,\d+\s*")
THOUSANDS = re.compile(r"\s*[+-]?[1-9]\d{0,2},\d{3}\s*")


def _pointed(value: Any) -> Any:
    """A number that is written with a decimal comma, as spreadsheets do in much of Europe."""
    if not isinstance(value, str) or not DECIMAL.fullmatch(value):
        return value
    if THOUSANDS.fullmatch(value):
        number = value.strip()
        point, none = number.replace(",", "."), number.replace(",", "")
        raise ValueError(
            f"in {number!r} a comma may part thousands, so it may mean {point} or {none}"
        )
    return value.replace(",", ".")


READ_COMMA = BeforeValidator(_pointed)  # beside a number in a row's type, after its limits


@dataclass(frozen=True)
class Table:
    """A table whose header has been read."""

    separator: str
    columns: tuple[str, ...]  # in small letters; those at the end that have no name are none
    header: int  # the number of its line
    text: str  # from the header on

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """The cells of each row that has any, with the number of the line where it begins.

        Errors: `ValueError` that names the line of what is not CSV.
        """
        cells = _cells(self.text, self.separator)
        number = self.header
        try:
            for place, values in enumerate(cells):
                if place and any(value.strip() for value in values):
                    yield number, values
                number = self.header + cells.line_num
        except csv.Error as error:
            raise ValueError(
                f"line {number}: what begins there is not CSV ({error}); mend it"
            ) from None


def read_table(text: str, wanted: Collection[str]) -> Table:
    """The table in a text, whose cells are separated as a first line `sep=;` says, or else by what
    makes its header name most of the `wanted` columns."""
    named = NAMED.match(text)
    if named:
        return _table(text[named.end() :], named[1], 2)
    tables = [_table(text, separator, 1) for separator in SEPARATORS]
    return max(tables, key=lambda table: len({*table.columns} & {*wanted}))


def _table(text: str, separator: str, header: int) -> Table:
    try:
        names: list[str] = next(_cells(text, separator), [])
    except csv.Error:  # which reading the rows meets again
        names = []
    names = [name.strip().lower() for name in names]
    while names and not names[-1]:
        names.pop()
    return Table(separator, tuple(names), header, text)


def _cells(text: str, separator: str) -> Any:
    """What splits the text into cells; space before a quoted cell is no part of it."""
    lines = io.StringIO(text, newline="")
    spaced = separator not in "\t "
    return csv.reader(lines, strict=True, skipinitialspace=spaced, delimiter=separator)
