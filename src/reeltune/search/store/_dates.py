"""Dates in filters: years, months, days and times are periods that a column is compared with."""

import re
from datetime import UTC, datetime, timedelta

FORMS = (
    "2026, '2026-06', '2026-06-01' or '2026-06-01 18:30', with an offset such as +02:00 or as UTC"
)
LEAST = timedelta(microseconds=1)  # between two times in the table
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PARTS = re.compile(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?")
CLOCK = re.compile(r"[T ]\d\d(?P<minutes>:?\d\d)?(?P<seconds>:?\d\d)?(?P<broken>[.,]\d+)?")
SPANS = {  # by the last part that is given
    "broken": LEAST,
    "seconds": timedelta(seconds=1),
    "minutes": timedelta(minutes=1),
}


def period(given: str) -> tuple[int, int]:
    """The first microsecond since 1970 of what is given, and the first after it.

    Raises ValueError for what is no date or time of the years 1 to 9999.
    """
    try:
        begin, end = _bounds(given)
        return (begin - EPOCH) // LEAST, (end - EPOCH) // LEAST
    except OverflowError as error:  # an offset or an end beyond these years
        raise ValueError(str(error)) from error


def compared(column: str, sign: str, bounds: tuple[int, int]) -> str:
    """A comparison of a column of times with a period, in the table's words."""
    begin, end = (f"to_timestamp_micros({micros})" for micros in bounds)
    inside = f"({column} >= {begin} and {column} < {end})"
    return {
        "=": inside,
        "<>": f"({column} < {begin} or {column} >= {end})",
        "!=": f"({column} < {begin} or {column} >= {end})",
        "<": f"{column} < {begin}",
        "<=": f"{column} < {end}",
        ">": f"{column} >= {end}",
        ">=": f"{column} >= {begin}",
    }[sign]


def _bounds(given: str) -> tuple[datetime, datetime]:
    parts = PARTS.fullmatch(given)
    if parts is None:
        moment = datetime.fromisoformat(given)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment, moment + _span(given)
    year, month, day = (int(part) if part else None for part in parts.groups())
    begin = datetime(year or 0, month or 1, day or 1, tzinfo=UTC)
    if day:
        return begin, begin + timedelta(days=1)
    after = (begin.replace(day=28) + timedelta(days=4)).replace(day=1) if month else None
    return begin, after or begin.replace(year=begin.year + 1)


def _span(given: str) -> timedelta:
    """How long the second, minute or hour is that a time names, as it says no more."""
    clock = CLOCK.search(given)
    if clock is None:  # a day in another form of ISO 8601, such as 20260601
        return timedelta(days=1)
    return next((span for part, span in SPANS.items() if clock[part]), timedelta(hours=1))
