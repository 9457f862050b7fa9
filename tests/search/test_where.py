"""Filters: a small language, checked word by word, and what the table makes of it."""

import unicodedata
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moment_tables import DAY, DIM, NEW_YEAR, moments, rows_of, table, unit

from reeltune.errors import ConfigError
from reeltune.search.store.dataset import Table
from reeltune.search.store.gallery import Gallery
from reeltune.search.store.where import COLUMNS, COMPARISONS, EXAMPLE, LONGEST, WORDS, where

NOON = (NEW_YEAR + 30 * DAY + DAY // 2) // 1000  # of 31 January 2026, in microseconds


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("duration > 60", "`duration` > 60"),
        ("end <= 2.5 AND not start = 6", "`end` <= 2.5 and not `start` = 6"),
        ("path = 'it''s'", "`path` = 'it''s'"),
        ("size > 1E6 or start < 2.5e0", "cast(`size` as double) > 1e6 or `start` < 2.5e0"),
        ("modified < '2026-01-31T12:00'", f"`modified` < to_timestamp_micros({NOON})"),
        ("'2026-01-31T14:00+02:00' > modified", f"`modified` < to_timestamp_micros({NOON})"),
        ("taken >= '2026-01-31T12:00Z'", f"`taken` >= to_timestamp_micros({NOON})"),
        ("date > '2026-01-30' and path = '2026'", None),
        ("(end in (240, 480)) or note <> ''", "( `end` in ( 240 , 480 ) ) or `note` <> ''"),
    ],
)
def test_words_are_put_in_the_tables_own(given: str, made: str | None) -> None:
    day = NOON - DAY // 2000
    begin = f"coalesce(`taken`, `modified`) >= to_timestamp_micros({day})"
    made = made or f"{begin} and `path` = '2026'"
    assert where(given) == made


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("colour = 'red'", r"names 'colour', which is no column; columns are path, start, end"),
        ("duration > 60; drop table x", r"cannot be read from '; drop table x' on"),
        ("sleep(10)", r"names 'sleep', which is no column"),
        ("vector is null", r"names 'vector', which is no column"),
        (
            "date > 'yesterday'",
            r"compares date with 'yesterday', which is no date; write 2026, '2026",
        ),
        ("date > '2026-02-30'", r"compares date with '2026-02-30', which is no date"),
        ("date > '2026-13'", r"compares date with '2026-13', which is no date"),
        ("date in (26)", r"compares date with 26, which is no date"),
        ("date in", r"compares date with nothing, which is no date"),
        ("date > '9999'", r"compares date with '9999', which is no date"),
        ("modified > 'noon'", r"compares modified with 'noon'.*'2026-06-01 18:30', with an offset"),
        ("date like '2026%'", r"compares date, a time, with a text by like; use ="),
        (
            "path >= 'é'",
            r"compares path with 'é' by >=, whose order hangs on how acc",
        ),
        ("'é' < note", r"compares note with 'é' by >, whose order"),
        ("path not between 'a' and 'é'", r"compares path with 'é' by between, whose order"),
        ("path = 'open", r"cannot be read from \"'open\" on"),
        ("  ", r"is empty; columns are"),
    ],
)
def test_anything_else_is_refused_with_an_example(given: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        where(given)
    assert EXAMPLE in str(caught.value)


def test_a_filter_without_end_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"has 2004 characters; it may have 2000"):
        where("(" * (LONGEST + 4))


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    """Ten files of one moment, each a day later, a second longer and of its own name."""
    made = []
    for number in range(10):
        one = moments(f"v{number}", unit(np.random.default_rng(number), 1, DIM))
        file = replace(one.file, modified_ns=NEW_YEAR + number * DAY + DAY // 2)
        made.append(replace(one, file=file, duration=float(number), width=100 * number))
    return Gallery.read(table(tmp_path_factory.mktemp("w"), *made))


def passing(gallery: Gallery, filter: str) -> set[str]:
    found = gallery.rank(unit(np.random.default_rng(0), DIM), filter).best(10)
    return {path.removesuffix(".mp4").removeprefix("v") for path in found.path}


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ("duration >= 8", "89"),
        ("date = '2026-01-03'", "2"),
        ("date <= '2026-01-02'", "01"),
        ("'2026-01-09' < date", "9"),
        ("date in ('2026-01-01', '2026-01-10')", "09"),
        ("date >= 2027 or date < 2026", ""),
        ("date = 2026", "0123456789"),
        ("2026 <= date and date <= '2026-01' and date != '2026-01-04'", "012456789"),
        ("date > '2026-01' or date = '2026-02'", ""),
        ("date not in ('2026-01-01', '2026-02') and date < '2026-01-03'", "1"),
        ("date not between '2026-01-02' and '2026-01-09'", "09"),
        ("date between 2026 and 2026 and date <> '2026-01'", ""),
        ("modified = '2026-01-09 12:00'", "8"),
        ("modified = '2026-01-09T23:30+11:30'", "8"),
        ("modified is not null and taken is null", "0123456789"),
        ("size > 1e3 and duration > 8e0", "9"),
        ("modified > '2026-01-09 12:00'", "9"),
        ("modified >= '2026-01-09 12:00' and not path like '%9%'", "8"),
        ("path ilike 'V3%' or width in (400, 500)", "345"),
        ("duration between 2 and 4", "234"),
        ("note = '' and start = 0 and end - duration > 7", "0"),
        ("note is null", ""),
        ("7.5 < duration and 800.5 <= width", "9"),
        ("width in (100, 200.0, 300.5) or 900 = width", "129"),
    ],
)
def test_a_filter_means_what_it_says(gallery: Gallery, filter: str, expected: str) -> None:
    assert passing(gallery, filter) == set(expected)


@pytest.mark.parametrize(
    "filter",
    [
        "duration >",
        "and and",
        "path > 3",
        "duration",
        "width / 0",
        "path <= start",
        "duration like '%'",
    ],
)
def test_known_words_that_make_no_sense_are_explained(gallery: Gallery, filter: str) -> None:
    with pytest.raises(ConfigError, match=r"(makes no sense \(|cannot be read).*columns are path"):
        passing(gallery, filter)


TOKENS = [*COLUMNS, *WORDS, *COMPARISONS, "(", ")", ",", "-", "1", "2.5", "'a'", "'2026-01-01'"]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=9))
def test_any_sentence_is_answered_or_refused(gallery: Gallery, words: list[str]) -> None:
    with suppress(ConfigError):
        passing(gallery, " ".join(words))


@pytest.mark.parametrize("part", ["(", "not ", "- "])
def test_deep_nesting_is_refused_and_does_no_harm(gallery: Gallery, part: str) -> None:
    with pytest.raises(ConfigError, match="makes no sense"):
        passing(gallery, part * (1900 // len(part)) + "duration > 1")


FORMS = ("NFC", "NFD")


@pytest.mark.parametrize("typed", FORMS)
@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ("path like '%café%'", {"1 café.mp4"}),
        ("path ilike '%CAFÉ%'", {"1 CAFÉ (a)", "1 café.mp4"}),
        ("path = '1 café.mp4'", {"1 café.mp4"}),
        ("path <> '1 café.mp4' and path like '1%'", {"1 CAFÉ (a)"}),
        ("path not like '_ caf_.mp4' and path not ilike '%É%'", {"it's ầ"}),
        ("path like '%CAFÉ (_)'", {"1 CAFÉ (a)"}),
        ("path like 'it''s ầ'", {"it's ầ"}),
    ],
)
def test_letters_with_accents_match_in_either_form(
    tmp_path: Path, typed: str, filter: str, expected: set[str]
) -> None:
    names = ("1 CAFÉ (a)", "1 café.mp4", "it's ầ")
    for stored in FORMS:
        files = []
        for number, name in enumerate(names):
            one = moments(f"v{number}", unit(np.random.default_rng(number), 1, DIM))
            path = unicodedata.normalize(stored, name)
            files.append(replace(one, file=replace(one.file, path=path)))
        small = Gallery.read(table(tmp_path / stored, *files))
        query = unit(np.random.default_rng(0), DIM)
        found = small.rank(query, unicodedata.normalize(typed, filter)).best(10).path
        assert {unicodedata.normalize("NFC", path) for path in found} == expected


def test_a_date_is_when_a_video_was_taken_or_else_when_its_file_was_changed(
    tmp_path: Path,
) -> None:
    rows = rows_of(*(moments(f"v{n}", unit(np.random.default_rng(n), 1, DIM)) for n in range(2)))
    place = rows.schema.get_field_index("taken")
    taken = pa.array([1_435_752_000_000_000, None], rows.schema.field("taken").type)  # 2015-07-01
    rows = rows.set_column(place, rows.schema.field("taken"), taken)
    gallery = Gallery.read(Table.create(tmp_path / "t.lance", rows))
    assert passing(gallery, "date < 2016") == {"0"}
    assert passing(gallery, "taken = '2015-07-01'") == {"0"}
    assert passing(gallery, "taken is null") == {"1"}
    assert passing(gallery, "date = 2026") == {"1"}
    assert passing(gallery, "modified = 2026") == {"0", "1"}


def test_an_older_library_has_the_dates_of_its_files(tmp_path: Path) -> None:
    rows = rows_of(moments("v0", unit(np.random.default_rng(0), 1, DIM))).drop_columns(["taken"])
    gallery = Gallery.read(Table.create(tmp_path / "t.lance", rows))
    assert passing(gallery, "date = 2026") == {"0"}
    with pytest.raises(ConfigError, match="about times of taking, which the library has from its"):
        passing(gallery, "taken = 2026")
