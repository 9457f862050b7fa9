"""A query taken apart, and several terms as one query."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moment_tables import DIM, unit

from reeltune.errors import ConfigError
from reeltune.search._composed import Part, composed, slope
from reeltune.search._confidence import confidence
from reeltune.search._usual import Usual
from reeltune.search.terms import Term, terms
from reeltune.search.times import seconds

ID = "0123456789abcdef01234567"
USUAL = Usual(texts=0.1, spread=0.05, pictures=0.6)
PLAIN = st.text("ab-+#@ .", min_size=1).filter(
    lambda text: not {"+", "-"} & set(text.split(" ")) and text.strip() == text
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a dog", [Term("words", "a dog")]),
        ("  a dog ", [Term("words", "  a dog ")]),
        ("a t-shirt, C++ and rock-'n'-roll", [Term("words", "a t-shirt, C++ and rock-'n'-roll")]),
        (
            "a dog + snow - people",
            [Term("words", "a dog"), Term("words", "snow"), Term("words", "people", -1)],
        ),
        ("- people + a dog", [Term("words", "people", -1), Term("words", "a dog")]),
        ('"one - two" - three', [Term("words", '"one - two"'), Term("words", "three", -1)]),
        (f"#{ID}", [Term("moment", ID)]),
        (f"#{ID} - @some/beach.JPG", [Term("moment", ID), Term("picture", "some/beach.JPG", -1)]),
        ('@"my clip.mp4"', [Term("video", "my clip.mp4")]),
        ("@home", [Term("words", "@home")]),
        ("#1 fan", [Term("words", "#1 fan")]),
        ("#face - #sunset", [Term("words", "#face"), Term("words", "#sunset", -1)]),
        (' - "a" + b', [Term("words", '"a"', -1), Term("words", "b")]),
    ],
)
def test_terms_of_a_query(text: str, expected: list[Term]) -> None:
    assert terms(text) == expected


@given(st.text())
def test_a_query_is_taken_apart_or_refused(text: str) -> None:
    try:
        found = terms(text)
    except ConfigError:
        return
    assert found
    if len(found) == 1 and found[0].counts == 1 and found[0].kind == "words":
        assert found[0].value in text


@given(st.lists(st.tuples(PLAIN, st.sampled_from([1, -1])), min_size=1, max_size=5))
def test_what_is_put_together_is_taken_apart_again(parts: list[tuple[str, int]]) -> None:
    text = " ".join(f"{'+' if counts > 0 else '-'} {words}" for words, counts in parts)
    assert [(one.value, one.counts) for one in terms(text)] == [
        (words if one.kind == "words" else words[1:], counts)
        for (words, counts), one in zip(parts, terms(text), strict=True)
    ]


@pytest.mark.parametrize("text", ["a dog -", "a + - b", "+ ", "-"])
def test_a_sign_without_a_term_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"has nothing after a [+-]; write what it stands before"):
        terms(text)


@pytest.mark.parametrize("text", ["#999", f"a dog - #{ID[:-1]}", f"#{ID.upper()}", f"#{ID}0"])
def test_an_id_that_no_moment_can_have_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"#\w+ is no id of a moment, .* take one from --json"):
        terms(text)


@pytest.mark.parametrize("text", ['a dog - "', '""', "a + \u201cb"])
def test_quotation_marks_that_are_no_pair_around_words_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"quotes without a word|without its other half"):
        terms(text)


def test_one_term_is_itself_to_the_bit() -> None:
    vector = unit(np.random.default_rng(0), DIM)
    for kind in ("short", "text", "picture"):
        assert composed([Part(vector, kind)], USUAL) == (vector, kind, USUAL)  # type: ignore[arg-type]


@given(st.integers(0, 1000), st.lists(st.sampled_from([1, -1]), min_size=1, max_size=3))
def test_several_terms_add_up_their_odds(seed: int, counts: list[int]) -> None:
    rng = np.random.default_rng(seed)
    kinds = ["text", *rng.choice(["short", "text", "picture"], len(counts)).tolist()]
    parts = [
        Part(unit(rng, DIM), kind, sign) for kind, sign in zip(kinds, [1, *counts], strict=True)
    ]
    vector, kind, usual = composed(parts, USUAL)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    for moment in unit(rng, 5, DIM).astype(np.float64):
        odds = sum(
            part.counts
            * slope(part.kind, USUAL)
            * (moment @ part.vector - (USUAL.pictures if part.kind == "picture" else USUAL.texts))
            for part in parts
        ) / math.sqrt(len(parts))
        assert slope(kind, usual) * (moment @ vector - usual.texts) == pytest.approx(odds, abs=1e-2)


def test_terms_that_a_moment_matches_make_it_surer_than_one() -> None:
    one, other = np.eye(DIM, dtype=np.float32)[:2]
    moment = (one + other) / math.sqrt(2)
    vector, kind, usual = composed([Part(one, "text"), Part(other, "text")], USUAL)
    both = confidence([float(moment @ vector)], 10, usual, kind)[0]
    assert both > confidence([float(moment @ one)], 10, USUAL, "text")[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90", 90), ("1:30", 90), ("1:02:03.5", 3723.5), (" 0 ", 0), ("75:00", 4500)],
)
def test_times_are_seconds_or_a_clock(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "-1", "1:", "a", "1:2:3:4", "nan", "1e3", "1:60", "1:60:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"is no time in a video.*; write it as 90 or 1:30"):
        seconds(text)
