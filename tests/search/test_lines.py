"""Lines of frames come to texts: in the order of reading, each with its time."""

import pytest

from reeltune.search.channels._lines import Following, Line, joined, likeness, overlap
from reeltune.types import Phrase


def line(text: str, top: float = 0.0, left: float = 0.0, score: float = 0.95) -> Line:
    """A line whose letters are 20 pixels high and 10 wide."""
    return Line(text, score, (left, top, left + 10 * len(text), top + 20))


def told(*frames: list[Line], until: float | None = None) -> list[tuple[float, float, str]]:
    """Start, end and text of the phrases of frames that are a second apart."""
    following = Following()
    for time, lines in enumerate(frames):
        following.add(float(time), lines)
    phrases = following.phrases(float(len(frames)) if until is None else until)
    return [(one.start, one.end, one.text) for one in phrases]


def test_a_text_stands_from_between_two_frames_until_between_two_frames() -> None:
    text = [line("seven boats")]
    assert told([], text, text, text, []) == [(0.5, 3.5, "seven boats")]
    assert told(text, until=0.8) == [(0.0, 0.8, "seven boats")]
    assert told([], [], text, until=7.0) == [(1.5, 7.0, "seven boats")]


def test_lines_that_come_and_go_together_are_one_text_in_the_order_of_reading() -> None:
    lines = [line("three", 30, 60), line("right", 0, 120), line("left", 0, 60)]
    assert told([*lines, line("far below", 300)], []) == [
        (0.0, 0.5, "left right three"),
        (0.0, 0.5, "far below"),
    ]


def test_a_line_that_comes_later_is_a_text_of_its_own() -> None:
    first, second = line("one boat"), line("two cranes", 30)
    assert told([first], [first, second], [first, second], []) == [
        (0.0, 2.5, "one boat"),
        (0.5, 2.5, "two cranes"),
    ]


def test_columns_that_are_far_apart_are_two_texts() -> None:
    left = [line("north", 0), line("harbour", 30)]
    right = [line("south", 0, 400), line("station", 30, 400)]
    found = {text for _, _, text in told([left[0], right[0], left[1], right[1]])}
    assert found == {"north harbour", "south station"}


def test_the_best_reading_of_a_line_that_stays_counts() -> None:
    readings = [
        line("sewen boats", score=0.85),
        line("seven boats", score=0.99),
        line("seven boat"),
    ]
    assert told(*([one] for one in readings)) == [(0.0, 3.0, "seven boats")]


def test_a_line_that_is_being_typed_is_one_text() -> None:
    typed = ["ri", "right", "right click", "right click to download"]
    assert told(*([line(text)] for text in typed)) == [(0.0, 4.0, "right click to download")]


def test_one_frame_may_miss_a_line_and_two_may_not() -> None:
    text = [line("seven boats")]
    assert told(text, [], text, []) == [(0.0, 2.5, "seven boats")]
    assert told(text, [], [], text) == [(0.0, 0.5, "seven boats"), (2.5, 4.0, "seven boats")]


def test_other_words_in_the_same_place_are_another_text() -> None:
    assert told([line("seven boats were sold")], [line("three cranes repaired")]) == [
        (0.0, 0.5, "seven boats were sold"),
        (0.5, 2.0, "three cranes repaired"),
    ]


def test_a_line_that_moves_is_one_text() -> None:
    assert told(*([line("credits", 300 - 90 * step)] for step in range(4))) == [
        (0.0, 4.0, "credits")
    ]


def test_frames_in_which_nothing_changed_carry_a_text_on() -> None:
    same = [line("stays")]
    assert told(same, same, same, until=9.0) == [(0.0, 9.0, "stays")]


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["two words", "more"], "two words more"),
        (["北方", "港口"], "北方港口"),
        (["北", "a"], "北 a"),
    ],
)
def test_lines_are_joined_as_their_script_is_written(lines: list[str], text: str) -> None:
    assert joined(lines) == text


def test_a_text_is_one_plain_line_whatever_was_read() -> None:
    nasty = "e\u0301\x00a\n\u202e<b>\tc\x1b[31m"
    (phrase,) = told([line(nasty)])
    assert phrase[2] == "éa <b> c[31m"


def test_shares_of_boxes_and_of_letters() -> None:
    assert overlap((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(0.5)
    assert overlap((0, 0, 10, 10), (2, 2, 4, 4)) == 1.0
    assert overlap((0, 0, 10, 10), (20, 0, 30, 10)) == 0.0
    assert likeness(line("Seven boats!"), line("seven  boats", top=500)) == 1.0
    assert likeness(line("boats"), line("cranes", top=500)) == 0.0


def test_thousands_of_lines_a_frame_cost_no_more_than_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reeltune.search.channels._lines.MOST", 40)
    following = Following()
    following.add(0.0, [line(f"row number {row}", 30.0 * row) for row in range(100)])
    assert following.is_full
    assert sum(phrase.text.count("row number") for phrase in following.phrases(1.0)) == 40
    assert isinstance(following.phrases(1.0)[0], Phrase)
