"""Filters: a small language, checked word by word, and what the table makes of it."""

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moment_tables import DAY, DIM, NEW_YEAR, moments, table, unit

from reeltune.errors import ConfigError
from reeltune.search.store.gallery import Gallery
from reeltune.search.store.where import COLUMNS, COMPARISONS, EXAMPLE, LONGEST, WORDS, where


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("duration > 60", "`duration` > 60"),
        ("end <= 2.5 AND not width = 640", "`end` <= 2.5 and not `width` = 640"),
        ("path like '%it''s%'", "`path` like '%it''s%'"),
        ("date >= '2026-01-31'", "cast(`modified` as date) >= date '2026-01-31'"),
        ("'2026-01-31' <= date", "date '2026-01-31' <= cast(`modified` as date)"),
        ("modified < '2026-01-31T12:00'", "`modified` < timestamp '2026-01-31 12:00:00'"),
        (
            "date between '2026-01-01' and '2026-01-31'",
            "cast(`modified` as date) between date '2026-01-01' and date '2026-01-31'",
        ),
        ("date > '2026-01-01' and path = '2026'", None),
        ("(height in (240, 480)) or note <> ''", "( `height` in ( 240 , 480 ) ) or `note` <> ''"),
    ],
)
def test_words_are_put_in_the_tables_own(given: str, made: str | None) -> None:
    made = made or "cast(`modified` as date) > date '2026-01-01' and `path` = '2026'"
    assert where(given) == made


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("colour = 'red'", r"names 'colour', which is no column; columns are path, start, end"),
        ("duration > 60; drop table x", r"cannot be read from '; drop table x' on"),
        ("sleep(10)", r"names 'sleep', which is no column"),
        ("vector is null", r"names 'vector', which is no column"),
        ("date > 'yesterday'", r"compares date with 'yesterday', which is not of .*'2026-01-31'"),
        ("date > '2026-02-30'", r"compares date with '2026-02-30', which is not of the form"),
        ("modified > 'noon'", r"compares modified with 'noon'.*form '2026-01-31 18:30' \(UTC\)"),
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
        ("modified > '2026-01-09 12:00'", "9"),
        ("modified >= '2026-01-09 12:00' and not path like '%9%'", "8"),
        ("path ilike 'V3%' or width in (400, 500)", "345"),
        ("duration between 2 and 4", "234"),
        ("note = '' and start = 0 and end - duration > 7", "0"),
        ("note is null", ""),
    ],
)
def test_a_filter_means_what_it_says(gallery: Gallery, filter: str, expected: str) -> None:
    assert passing(gallery, filter) == set(expected)


@pytest.mark.parametrize(
    "filter", ["duration >", "and and", "path > 3", "duration", "width / 0", "duration like '%'"]
)
def test_known_words_that_make_no_sense_are_explained(gallery: Gallery, filter: str) -> None:
    with pytest.raises(ConfigError, match=r"(makes no sense \(|cannot be read).*columns are path"):
        passing(gallery, filter)


TOKENS = [*COLUMNS, *WORDS, *COMPARISONS, "(", ")", ",", "-", "1", "2.5", "'a'", "'2026-01-01'"]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=9))
def test_any_sentence_is_answered_or_refused(gallery: Gallery, words: list[str]) -> None:
    with suppress(ConfigError):
        passing(gallery, " ".join(words))


@pytest.mark.parametrize("part", ["(", "not ", "- "])
def test_deep_nesting_is_refused_and_does_no_harm(gallery: Gallery, part: str) -> None:
    with pytest.raises(ConfigError, match="makes no sense"):
        passing(gallery, part * (1900 // len(part)) + "duration > 1")
