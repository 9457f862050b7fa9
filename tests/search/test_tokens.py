"""Words as they are compared, and how they are looked up."""

import unicodedata
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reeltune.errors import ConfigError
from reeltune.search.channels._vocabulary import ABSENT, EXACT, LOOSE, Vocabulary, differ_in_one
from reeltune.search.channels.question import quotes_of
from reeltune.search.channels.tokens import fold, tokens, words

TEXTS = st.lists(st.text("ab \u00e9-", max_size=12), max_size=6)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I'm at the Café!", ["im", "at", "the", "cafe"]),
        ("Straße, 3D; don\u2019t", ["strasse", "3d", "dont"]),
        ("sm\u00f8rrebr\u00f8d \u0141\u00f3d\u017a", ["smorrebrod", "lodz"]),
        ("\u751f\u65e5\u5feb\u4e50 happy", ["\u751f\u65e5\u5feb\u4e50", "happy"]),
        ("ｆｕｌｌ  -- ", ["full"]),
        ("", []),
    ],
)
def test_words_have_no_case_accent_or_width(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(st.text())
def test_words_stand_where_they_are_said_to(text: str) -> None:
    found = tokens(text)
    assert [one.word for one in found] == words(text)
    assert all(fold(text[one.start : one.end]) == one.word for one in found)
    assert all(a.end <= b.start for a, b in pairwise(found))


@given(st.text("aeiou\u00e9\u00fc\u00f1 ", max_size=20))
def test_either_form_of_unicode_has_the_same_words(text: str) -> None:
    assert words(unicodedata.normalize("NFD", text)) == words(unicodedata.normalize("NFC", text))


def level_of(word: str, after: str, text: str) -> int:
    """How a phrase has a word, word by word."""
    own = words(text)
    if word in own:
        return EXACT
    near = [
        one
        for one in own
        if (len(word) >= 3 and one.startswith(word))
        or (len(word) >= 4 and word in one)
        or (len(word) >= 5 and differ_in_one(word, one))
        or one in [word[:-cut] for cut in (1, 2) if len(word) - cut >= 3]
        or (after and one == word + after)
    ]
    pieces = [a + b for a, b in pairwise(own) if min(len(a), len(b)) > 1]
    return LOOSE if near or word in pieces else ABSENT


@given(TEXTS, st.text("abe", min_size=1, max_size=6), st.sampled_from(["", "ab"]))
def test_levels_are_those_of_a_look_at_every_phrase(
    texts: list[str], word: str, after: str
) -> None:
    found = Vocabulary.of(texts).levels(word, after)
    assert found.tolist() == [level_of(word, after, text) for text in texts]


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("birth", "happy birthday"),
        ("geburtstag", "der Kindergeburtstag"),
        ("icecream", "some ice cream"),
        ("dogs", "a dog"),
        ("cafe", "the Cafés"),
        ("engine", "this engin runs"),
        ("\u751f\u65e5", "\u751f\u65e5\u5feb\u4e50"),
    ],
)
def test_a_word_is_found_in_its_forms_and_compounds(word: str, text: str) -> None:
    assert Vocabulary.of(["nothing here", text]).levels(word).tolist() == [ABSENT, LOOSE]


def test_two_words_are_found_in_one() -> None:
    assert Vocabulary.of(["icecream"]).levels("ice", "cream").tolist() == [LOOSE]


@given(
    st.lists(st.lists(st.sampled_from("abc"), max_size=4), max_size=5), st.text("abc", min_size=1)
)
def test_words_in_order_are_found_across_phrases(phrases: list[list[str]], wanted: str) -> None:
    found = Vocabulary.of([" ".join(one) for one in phrases]).having(list(wanted))
    flat = "".join("".join(one) for one in phrases)
    places = [at for at in range(len(flat)) if flat.startswith(wanted, at)]
    assert np.sort(found).tolist() == places


@given(st.text("ab", max_size=5), st.text("ab", max_size=5))
def test_one_wrong_letter_against_every_edit(one: str, other: str) -> None:
    cut = [one[:at] + one[at + 1 :] for at in range(len(one))]
    put = [one[:at] + c + one[at:] for at in range(len(one) + 1) for c in "ab"]
    changed = [one[:at] + c + one[at + 1 :] for at in range(len(one)) for c in "ab"]
    assert differ_in_one(one, other) == (other in {*cut, *put, *changed} and one != other)


def test_phrases_in_quotes() -> None:
    assert quotes_of('a "Happy Birthday" and \u201cthank you\u201d') == [
        ["happy", "birthday"],
        ["thank", "you"],
    ]
    assert quotes_of('5" of snow, \u201eguten Tag\u201d') == [["guten", "tag"]]


@pytest.mark.parametrize("text", ['"happy birthday', 'a "b" c"', "\u201cthank you", "you\u201d"])
def test_a_quote_that_is_not_closed_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="without its other half; write both around a phrase"):
        quotes_of(text)


@pytest.mark.parametrize("text", ['""', 'a dog "?"', "\u201c \u201d"])
def test_quotes_without_words_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="has quotes without a word in them; write the words"):
        quotes_of(text)
