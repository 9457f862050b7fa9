"""Filters: a small language, checked word by word."""

import pytest

from reeltune.errors import ConfigError
from reeltune.search._where import EXAMPLE, where


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("duration > 60", "`duration` > 60"),
        ("end <= 2.5 AND not width = 640", "`end` <= 2.5 AND not `width` = 640"),
        ("path like '%it''s%'", "`path` like '%it''s%'"),
        ("date >= '2026-01-31'", "`modified` >= timestamp '2026-01-31'"),
        (
            "date between '2026-01-01' and '2026-01-31 12:00'",
            "`modified` between timestamp '2026-01-01' and timestamp '2026-01-31 12:00'",
        ),
        ("(height in (240, 480)) or note <> ''", "( `height` in ( 240 , 480 ) ) or `note` <> ''"),
    ],
)
def test_words_are_put_in_the_tables_own(given: str, made: str) -> None:
    assert where(given) == made


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("colour = 'red'", r"names 'colour', which is no column; columns are path, start, end"),
        ("duration > 60; drop table x", r"cannot be read from '; drop table x' on"),
        ("sleep(10)", r"names 'sleep', which is no column"),
        ("vector is null", r"names 'vector', which is no column"),
        ("date > 'yesterday'", r"compares date with 'yesterday', which is not of the form"),
        ("path = 'open", r"cannot be read from \"'open\" on"),
        ("  ", r"is empty; columns are"),
    ],
)
def test_anything_else_is_refused_with_an_example(given: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        where(given)
    assert EXAMPLE in str(caught.value)
