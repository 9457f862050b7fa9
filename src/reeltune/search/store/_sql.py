"""Values in the words of the table's own filters."""

from collections.abc import Iterable
from typing import Any


def is_one_of(column: str, values: Iterable[Any]) -> str:
    """The filter that a column has one of these values, as text."""
    return f"{column} IN ({', '.join(quote(str(value)) for value in values)})"


def quote(text: str) -> str:
    """A text as a value."""
    return "'" + text.replace("'", "''") + "'"
