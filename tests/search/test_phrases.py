"""How well phrases answer a query, against the same sums word by word."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from script_tables import question, vector
from test_tokens import level_of

from reeltune.search.channels import _likelihood as rules
from reeltune.search.channels._vocabulary import ABSENT, EXACT
from reeltune.search.channels.phrases import GAP, MEANING, MOST_WORDS, QUOTATION, Phrases, together
from reeltune.search.channels.tokens import words

WORDS = ("red", "boat", "birthday", "birth", "sails", "the")
LINES = st.lists(
    st.tuples(st.integers(0, 2), st.lists(st.sampled_from(WORDS), max_size=4), st.booleans()),
    min_size=1,
    max_size=7,
)


def phrases_of(lines: list[tuple[int, list[str], bool]]) -> Phrases:
    """Phrases of some videos, each of one second, the next of which comes at once or much later."""
    lines = sorted(lines, key=lambda line: line[0])
    start = np.cumsum([1.0 + (0.0 if near else 2 * GAP) for _, _, near in lines])
    text = [" ".join(each) for _, each, _ in lines]
    video = np.unique([line[0] for line in lines], return_inverse=True)[1]
    return Phrases(video, start, start + 1, text, np.stack([vector(one) for one in text]))


def slow_ratio(phrases: Phrases, text: str, row: int) -> float:
    """The ratio of one phrase, sum by sum."""
    asked, others = words(text), [i for i, v in enumerate(phrases.video) if v != phrases.video[row]]

    def lines(first: int, pair: bool) -> str:
        return " ".join(phrases.text[first : first + 1 + (pair and bool(phrases.goes_on[first]))])

    def follows(one: str, other: str, line: str) -> bool:
        return (one, other) in pairwise(words(line))

    def quotation(first: int, pair: bool) -> float:
        """The logarithm of a quotation's ratio."""
        after, total, had = dict(pairwise(asked)), 0.0, 0
        for word in dict.fromkeys(asked):
            levels = [
                max(
                    level_of(word, after.get(word, ""), one)
                    for one in phrases.text[i : i + 1 + (pair and bool(phrases.goes_on[i]))]
                )
                for i in range(len(phrases.text))
            ]
            rank = question(word).rank[word]
            exact = min(0.8 / rank, 0.5)
            shares = [
                (sum(levels[i] == level for i in others) + rules.KNOWN * common)
                / (len(others) + rules.KNOWN)
                for level, common in ((2, exact), (1, min(3 * exact, 0.5)))
            ]
            chances = {
                2: rules.HEARD / shares[0],
                1: rules.HEARD_LOOSELY / shares[1],
                0: (1 - rules.HEARD - rules.HEARD_LOOSELY) / max(1 - sum(shares), 1e-3),
            }
            total += math.log(chances[levels[first]])
            had += levels[first] != ABSENT
        for one, other in dict.fromkeys(pairwise(asked)):
            both = [{one, other} <= set(words(lines(i, pair))) for i in range(len(phrases.text))]
            next_to = [both[i] and follows(one, other, lines(i, pair)) for i in range(len(both))]
            share = (sum(next_to[i] for i in others) + rules.KNOWN_PAIRS * rules.BY_CHANCE) / (
                sum(both[i] for i in others) + rules.KNOWN_PAIRS
            )
            if both[first]:
                yes = next_to[first]
                total += math.log(
                    rules.FOLLOWS / share if yes else (1 - rules.FOLLOWS) / (1 - share)
                )
        return total if had and had >= MOST_WORDS * len(set(asked)) else -math.inf

    alone, meant = quotation(row, False), slow_meaning(phrases, text, row)
    goes_on = bool(phrases.goes_on[row])
    both = quotation(row, True) if goes_on else -math.inf
    later = quotation(row + 1, False) if row + 1 < len(phrases.text) else -math.inf
    joined = both if both > max(alone, later) else -math.inf
    quoted = (math.exp(alone) + math.exp(joined)) / (1 + goes_on)
    return 1 - MEANING + MEANING * math.exp(meant) + QUOTATION * quoted


def slow_meaning(phrases: Phrases, text: str, row: int) -> float:
    cosines = [float(one @ vector(text)) for one in phrases.vector]
    far = [c for c, v in zip(cosines, phrases.video, strict=True) if v != phrases.video[row]]
    count = len(far) + rules.KNOWN
    mean = (sum(far) + rules.KNOWN * rules.COSINE) / count
    known = rules.KNOWN * (rules.COSINE**2 + rules.SPREAD**2)
    spread = math.sqrt((sum(c * c for c in far) + known) / count - mean**2)
    return rules.MEANT[0] * (cosines[row] - mean) / spread + rules.MEANT[1]


@settings(max_examples=60)
@given(LINES, st.lists(st.sampled_from(WORDS), min_size=1, max_size=4))
def test_ratios_are_those_of_loops(
    lines: list[tuple[int, list[str], bool]], asked: list[str]
) -> None:
    phrases, text = phrases_of(lines), " ".join(asked)
    found = phrases.weigh(question(text))
    expected = [slow_ratio(phrases, text, row) for row in range(len(phrases.text))]
    np.testing.assert_allclose(found.ratio, expected, rtol=1e-4)
    for row, line in enumerate(phrases.text):
        if set(asked) <= set(words(line)):
            assert found.literal[row]


def test_what_is_usual_for_a_word_is_what_other_videos_say() -> None:
    level = np.array([EXACT, EXACT, EXACT, ABSENT], np.uint8)
    own, shared = np.array([0, 0, 0, 1]), np.array([0, 1, 2, 3])
    common = (1e-3, 3e-3)
    assert rules.had(level, own, common)[0] > rules.had(level, shared, common)[0] + 2


def test_unrelated_words_gain_nothing_in_the_mean() -> None:
    rng = np.random.default_rng(0)
    names = [f"{a}{b}ing" for a in ("sail", "boat", "cook", "run", "jump") for b in "abcdefgh"]
    text = [" ".join(rng.choice(names, 6)) for _ in range(300)]
    vectors = np.stack([vector(one) for one in text]) * 0.8
    phrases = Phrases(np.arange(300) // 3, np.arange(300.0), np.arange(300.0) + 1, text, vectors)
    gains = [
        np.log(phrases.weigh(question(" ".join(rng.choice(names, count)))).ratio).mean()
        for count in (1, 2, 5, 8)
    ]
    assert np.abs(gains).max() < 0.15, "a cosine's standard deviation is worth more than 1.4"


def test_a_phrase_of_the_very_words_is_the_likeliest_by_far() -> None:
    rng = np.random.default_rng(1)
    names = [f"word{i}" for i in range(60)]
    text = [" ".join(rng.choice(names, 8, replace=False)) for _ in range(200)]
    phrases = Phrases(
        np.arange(200) // 4,
        np.arange(200.0),
        np.arange(200.0) + 1,
        text,
        np.stack([vector(one) for one in text]),
    )
    for row in range(0, 200, 11):
        asked = " ".join(text[row].split()[2:6])
        ratio = phrases.weigh(question(asked)).ratio
        assert ratio.argmax() == row
        first, _, *rest = asked.split()
        misheard = " ".join([first, "nothing", *rest])
        assert phrases.weigh(question(misheard)).ratio.argmax() == row


def test_a_sentence_that_goes_on_is_found_in_both_phrases() -> None:
    lines = ["so we wish you a happy", "birthday my dear friend", "and some more"]
    times = np.array([0.0, 2.0, 9.0])
    phrases = Phrases(
        np.zeros(3, int), times, times + 2, lines, np.stack([vector(one) for one in lines])
    )
    found = phrases.weigh(question("a happy birthday my dear"))
    assert found.ratio.argmax() == 0
    assert found.until.tolist() == [1, 1, 2]
    assert found.literal.tolist() == [True, False, False]
    quoted = phrases.weigh(question('"Happy Birthday"'))
    assert [one.tolist() for one in quoted.quoted] == [[True, True, False]]
    assert not phrases.weigh(question('"friend and some"')).quoted[0].any(), "7 s later"


@pytest.mark.parametrize("asked", ["", "...", "zebra"])
def test_a_query_without_known_words_is_weighed_by_its_meaning(asked: str) -> None:
    phrases = phrases_of([(0, ["red", "boat"], True), (1, ["birth"], True)])
    found = phrases.weigh(question(asked))
    meant = [slow_meaning(phrases, asked, row) for row in range(2)]
    np.testing.assert_allclose(found.ratio, 1 - MEANING + MEANING * np.exp(meant), rtol=1e-4)
    assert not found.literal.any()


def test_several_questions_are_added_up() -> None:
    phrases = phrases_of([(0, ["red", "boat"], True), (1, ["birthday"], True), (2, ["red"], True)])
    red, boat = (phrases.weigh(question(word)) for word in ("red", "boat"))
    both = together([(0.5, red), (-0.5, boat)])
    np.testing.assert_allclose(both.ratio, np.sqrt(red.ratio / boat.ratio))
    assert both.found == red.found
    assert both.literal.tolist() == red.literal.tolist()
    assert together([(1.0, red)]) is red
