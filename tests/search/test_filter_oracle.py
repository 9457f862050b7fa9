"""Filters of every column, with every operator, against a slow reading of them in Python."""

import unicodedata
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moment_tables import DIM, moments, rows_of, unit

from reeltune.search.store._dates import EPOCH
from reeltune.search.store.dataset import Table
from reeltune.search.store.filtered import scan

Test = Callable[[dict[str, Any]], bool | None]  # None: unknown, as in SQL
Value = tuple[str, Any, Any]
FORMS = ("NFC", "NFD")
WORDS = ("a", "é", "e", "ée", "EÉ", "한", "하", "a_", "50%", "it's", "", "a\né", "b/é.mp4", "x̂")
SECONDS = (0.0, 0.1, 1.0, 2.5, 640.0, 1e6)
WHOLE = (0, 1, 2, 640, 1000, 10**12)
TIMES = (
    *("2026-01-30 23:59:59.999999", "2026-01-31", "2026-01-31 12:00", "2026-01-31 23:59:59.999999"),
    *("2026-02-01", "2025-12-31 23:59", "2027-01-01", "1969-12-31 23:00", "2024-02-29 12:00"),
)
PERIODS = {  # as typed: begin and end
    "2026": ("2026-01-01", "2027-01-01"),
    "'2026'": ("2026-01-01", "2027-01-01"),
    "'2026-01'": ("2026-01-01", "2026-02-01"),
    "'2026-01-31'": ("2026-01-31", "2026-02-01"),
    "'2024-02'": ("2024-02-01", "2024-03-01"),
    "'2026-01-31 12:00'": ("2026-01-31 12:00", "2026-01-31 12:01"),
    "'2026-01-31T14:00+02:00'": ("2026-01-31 12:00", "2026-01-31 12:01"),
    "'2026-01-31T12:00:00Z'": ("2026-01-31 12:00", "2026-01-31 12:00:01"),
    "'2026-01-31T12:00:00.000001Z'": ("2026-01-31 12:00:00.000001", "2026-01-31 12:00:00.000002"),
    "'2026-01-31T12'": ("2026-01-31 12:00", "2026-01-31 13:00"),
    "'20260131'": ("2026-01-31", "2026-02-01"),
    "1969": ("1969-01-01", "1970-01-01"),
}
KINDS = {
    "path": "text",
    "note": "text",
    "caption": "text",
    "start": "number",
    "end": "number",
    "duration": "number",
    "width": "number",
    "height": "number",
    "size": "number",
    "date": "time",
    "taken": "time",
    "modified": "time",
}
NUMBERS = ("0", "1", "2.5", "0.1", "640", "640.5", "1e6", "1000", "1e12", "- 1", "2.5e0", "1e300")
SIGNS = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}  # with what they are when turned around


def micros(text: str) -> int:
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Table, list[dict[str, Any]]]:
    """A table in which columns have each of their values, and its rows."""
    rng = np.random.default_rng(0)

    def draw(some: Sequence[Any]) -> Any:
        return some[int(rng.integers(len(some)))]

    values: list[dict[str, Any]] = []
    for number in range(60):
        form = FORMS[number % 2]
        values.append(
            {name: unicodedata.normalize(form, draw(WORDS)) for name in ("path", "note", "caption")}
            | {name: draw(SECONDS) for name in ("start", "end", "duration")}
            | {"width": draw(WHOLE[:-1]), "height": draw(WHOLE[:-1]), "size": draw(WHOLE)}
            | {name: micros(draw(TIMES)) for name in ("taken", "modified")}
            | ({"caption": None} if number % 5 == 0 else {})
            | ({"taken": None} if number % 3 == 0 else {})
        )
    one = rows_of(moments("v", unit(rng, 1, DIM)))
    rows = pa.concat_tables([one] * len(values))
    rows = rows.append_column("caption", pa.nulls(len(values), pa.string()))
    for number, value in enumerate(values):
        value["part"] = number
    for name in values[0]:
        place, kind = rows.schema.get_field_index(name), rows.schema.field(name)
        rows = rows.set_column(place, kind, pa.array([v[name] for v in values], kind.type))
    for value in values:
        value["date"] = value["modified"] if value["taken"] is None else value["taken"]
    return Table.create(tmp_path_factory.mktemp("t") / "t.lance", rows), values


def letters(text: str) -> list[str]:
    """Letters with the accents that they bear."""
    found: list[str] = []
    for letter in unicodedata.normalize("NFC", text):
        if unicodedata.category(letter).startswith("M") and found:
            found[-1] += letter
        else:
            found.append(letter)
    return found


def is_like(text: list[str], wanted: list[str]) -> bool:
    if not wanted:
        return not text
    if wanted[0] == "%":
        return any(is_like(text[n:], wanted[1:]) for n in range(len(text) + 1))
    return bool(text) and wanted[0] in ("_", text[0]) and is_like(text[1:], wanted[1:])


def known(test: Callable[[Any], bool], name: str) -> Test:
    return lambda row: None if row[name] is None else test(row[name])


def denied(test: Test) -> Test:
    return lambda row: None if (found := test(row)) is None else not found


def both(first: Test, second: Test) -> Test:
    def test(row: dict[str, Any]) -> bool | None:
        found = (first(row), second(row))
        return False if False in found else None if None in found else True

    return test


def either(first: Test, second: Test) -> Test:
    return denied(both(denied(first), denied(second)))


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


PATTERNS = st.lists(st.sampled_from(["%", "_", "a", "e", "é", "한", "'", "."]), max_size=4).map(
    "".join
)


@st.composite
def simple(draw: st.DrawFn) -> tuple[str, Test]:
    """A test of one column, and what it means."""
    name = draw(st.sampled_from(sorted(KINDS)))
    kind = KINDS[name]
    no = draw(st.sampled_from(["", "not "]))
    made = {"text": ["like", "ilike"]}.get(kind, [])
    verb = draw(st.sampled_from([*SIGNS, "=", "<>", "!=", "in", "between", "is", *made]))
    if verb == "is":
        return f"{name} is {no}null", maybe(no, lambda row: row[name] is None)
    if verb in ("like", "ilike"):
        return alike(draw, name, no, verb)
    values = draw(st.lists(value_of(kind, verb), min_size=3, max_size=3))
    if verb == "in":
        some = values[: draw(st.integers(1, 3))]
        test = known(lambda x: any(is_in(kind, x, value) for value in some), name)
        return f"{name} {no}in ({', '.join(value[0] for value in some)})", maybe(no, test)
    first, last = values[:2]
    if verb == "between":
        test = known(lambda x: not before(kind, x, first) and not after(kind, x, last), name)
        return f"{name} {no}between {first[0]} and {last[0]}", maybe(no, test)
    tests: dict[str, Callable[[Any], bool]] = {
        "<": lambda x: before(kind, x, first),
        ">": lambda x: after(kind, x, first),
        "<=": lambda x: not after(kind, x, first),
        ">=": lambda x: not before(kind, x, first),
        "=": lambda x: is_in(kind, x, first),
    }
    test = known(tests.get(verb, lambda x: not is_in(kind, x, first)), name)
    if draw(st.booleans()) and not first[0].startswith("-"):
        return f"{first[0]} {SIGNS.get(verb, verb)} {name}", test
    return f"{name} {verb} {first[0]}", test


def alike(draw: st.DrawFn, name: str, no: str, verb: str) -> tuple[str, Test]:
    pattern = draw(PATTERNS)
    typed = quoted(unicodedata.normalize(draw(st.sampled_from(FORMS)), pattern))
    fold = str.lower if verb == "ilike" else str
    test = known(lambda x: is_like(letters(fold(x)), letters(fold(pattern))), name)
    return f"{name} {no}{verb} {typed}", maybe(no, test)


def maybe(no: str, test: Test) -> Test:
    return denied(test) if no else test


def is_in(kind: str, x: Any, value: Value) -> bool:
    return value[1] <= x < value[2] if kind == "time" else same(kind, x) == value[1]


def before(kind: str, x: Any, value: Value) -> bool:
    return bool(x < value[1])


def after(kind: str, x: Any, value: Value) -> bool:
    return bool(x >= value[2] if kind == "time" else x > value[1])


def same(kind: str, x: Any) -> Any:
    return unicodedata.normalize("NFC", x) if kind == "text" else x


def value_of(kind: str, verb: str) -> st.SearchStrategy[Value]:
    """What is typed, and the values that it stands for: from, and of times to without."""
    if kind == "time":
        return st.sampled_from(sorted(PERIODS)).map(
            lambda one: (one, micros(PERIODS[one][0]), micros(PERIODS[one][1]))
        )
    if kind == "number":
        return st.sampled_from(NUMBERS).map(lambda one: (one, float(one.replace(" ", "")), None))
    if verb in (*SIGNS, "between"):  # the order is that of code points as stored
        return st.sampled_from(["", "a", "b", "e"]).map(lambda one: (quoted(one), one, None))
    return st.tuples(st.sampled_from(WORDS), st.sampled_from(FORMS)).map(
        lambda one: (quoted(unicodedata.normalize(one[1], one[0])), same("text", one[0]), None)
    )


def joined(parts: st.SearchStrategy[tuple[str, Test]]) -> st.SearchStrategy[tuple[str, Test]]:
    two = st.tuples(parts, parts)
    return st.one_of(
        two.map(lambda p: (f"({p[0][0]}) and ({p[1][0]})", both(p[0][1], p[1][1]))),
        two.map(lambda p: (f"({p[0][0]}) OR ({p[1][0]})", either(p[0][1], p[1][1]))),
        parts.map(lambda p: (f"not ({p[0]})", denied(p[1]))),
    )


@settings(max_examples=200)
@given(st.recursive(simple(), joined, max_leaves=4))
def test_a_filter_lets_pass_what_its_words_say(
    stored: tuple[Table, list[dict[str, Any]]], made: tuple[str, Test]
) -> None:
    table, rows = stored
    text, test = made
    wanted = [number for number, row in enumerate(rows) if test(row)]
    assert passing(table, text) == wanted


LISTS = (["a"], ["a", "e"], ["a", "e", "", "a_", "50%"])


@pytest.mark.parametrize("first", LISTS)
@pytest.mark.parametrize("second", LISTS)
@pytest.mark.parametrize("no", ["", "not "])
def test_what_is_in_one_list_and_in_no_other_is_unknown_where_it_is(
    stored: tuple[Table, list[dict[str, Any]]], first: Sequence[str], second: Sequence[str], no: str
) -> None:
    table, rows = stored
    made = [
        (f"caption in ({', '.join(map(quoted, some))})", known(some.__contains__, "caption"))
        for some in (first, second)
    ]
    (one, is_one), (other, is_other) = made
    test = maybe(no, both(is_one, denied(is_other)))
    wanted = [number for number, row in enumerate(rows) if test(row)]
    assert passing(table, f"{no}(({one}) and not ({other}))") == wanted


def passing(table: Table, text: str) -> list[int]:
    return sorted(scan(table, text, columns=["part"])["part"].to_pylist())
