"""The selectors against rules written the slow way."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracles.slow_rules import Shown, shown_in, slow_choice, slow_gaps
from reeltune.errors import ConfigError
from reeltune.media.sampling import Sampling, selector

VIDEOS = st.lists(st.tuples(st.floats(0.01, 5.0), st.booleans()), min_size=1, max_size=60).map(
    lambda steps: [(sum((s for s, _ in steps[:i]), 0.0), steps[i][1]) for i in range(len(steps))]
)


def chosen(
    sampling: Sampling, video: Shown, duration: float, until: float | None = None
) -> list[float]:
    end = duration if until is None else until
    few = sampling.kind == "uniform" and len(shown_in(sampling, video, end)) <= sampling.value
    choose = selector(sampling, duration, few)
    taken = [time for frame in video for time in choose.push(*frame)]
    return [*taken, *choose.end(end)]


LASTS = st.floats(0.0, 9.0)  # s that the last frame is shown


@given(VIDEOS, LASTS)
def test_gaps_are_filled_with_the_latest_frame_that_keeps_them(video: Shown, lasts: float) -> None:
    end = video[-1][0] + lasts
    taken = chosen(Sampling("gap", 2.0), video, 0.0, end)
    assert taken == slow_gaps(video, 2.0, 0.5, end)


@given(VIDEOS, LASTS)
def test_no_gap_exceeds_two_seconds_unless_the_video_has_one(video: Shown, lasts: float) -> None:
    end = video[-1][0] + lasts
    taken, times = chosen(Sampling(), video, 0.0, end), [time for time, _ in video]
    for a, b in pairwise([*taken, end]):
        assert b - a <= 2.0 + 1e-6 or not any(a < time < b for time in times)


@given(VIDEOS)
def test_keyframes_are_thinned_to_the_least_distance(video: Shown) -> None:
    taken = chosen(Sampling("keyframe", 0.5), video, 0.0)
    assert taken == slow_gaps(video, math.inf, 0.5, 0.0)


@given(VIDEOS, st.floats(0.2, 5.0), LASTS)
def test_fps_takes_the_frame_shown_at_each_multiple(
    video: Shown, rate: float, lasts: float
) -> None:
    rule, end = Sampling("fps", rate), video[-1][0] + lasts
    assert chosen(rule, video, 0.0, end) == slow_choice(rule, video, 0.0, end)


@given(VIDEOS, st.integers(1, 20), LASTS)
def test_uniform_takes_the_frame_shown_at_each_middle(
    video: Shown, count: int, lasts: float
) -> None:
    rule, duration = Sampling("uniform", float(count)), video[-1][0] + lasts
    assert chosen(rule, video, duration) == slow_choice(rule, video, duration)


@given(VIDEOS, st.integers(1, 9), st.floats(0.0, 9.0), st.floats(0.1, 9.0), LASTS)
def test_uniform_of_a_part_takes_the_frame_shown_at_each_middle_of_the_part(
    video: Shown, count: int, start: float, length: float, lasts: float
) -> None:
    rule = Sampling("uniform", float(count), start, start + length)
    duration = video[-1][0] + lasts
    assert chosen(rule, video, duration) == slow_choice(rule, video, duration)


@pytest.mark.parametrize(
    ("rule", "times", "duration", "taken"),
    [
        ("uniform 12", [0.0], 0.04, [0.0]),  # a still
        ("uniform 12", [0.0], 0.0, [0.0]),  # a still whose length nobody knows
        ("uniform 12", [0.0, 0.1], 0.2, [0.0, 0.1]),
        ("uniform 12", [0.0, 10.0, 20.0, 30.0], 30.04, [0.0, 10.0, 20.0, 30.0]),
        ("uniform 3", [0.0, 10.0, 20.0, 30.0], 30.04, [0.0, 10.0, 20.0]),
        ("uniform 2", [0.0, 0.2, 60.0], 60.04, [0.2]),
        ("uniform 12 from 12 to 18", [0.0, 10.0, 20.0, 30.0], 40.0, [10.0]),
        ("uniform 2 from 35 to 90", [0.0, 10.0, 20.0, 30.0], 40.0, [30.0]),
        ("uniform 2 from 40 to 90", [0.0, 10.0, 20.0, 30.0], 40.0, []),
        ("fps 1", [0.0, 0.2, 60.0], 61.0, [0.0, 0.2, 60.0]),
        ("fps 1", [0.0, 0.9], 1.0, [0.0]),  # at 0 s; the mark at 1 s is past the end
        ("gap 2", [0.0, 0.2], 60.0, [0.0, 0.2]),  # which is on the screen for a minute
        ("gap 2", [0.0, 0.2], 0.25, [0.0]),
    ],
)
def test_a_mark_shows_what_a_player_shows_there(
    rule: str, times: list[float], duration: float, taken: list[float]
) -> None:
    video = [(time, time == 0) for time in times]
    until = duration or 0.04
    assert chosen(Sampling.parse(rule), video, duration, until) == taken


def test_after_its_last_mark_uniform_wants_no_frame() -> None:
    choose = selector(Sampling("uniform", 2.0, 0.0, 1.0), 100.0)
    for time in (0.0, 0.5, 1.0):
        choose.push(time, False)
    assert choose.undecided == math.inf


def test_a_short_clip_still_gives_eight_frames() -> None:
    video = [(i / 25, i == 0) for i in range(75)]  # 3 s, one keyframe
    assert len(chosen(Sampling(), video, 3.0)) >= 8


@pytest.mark.parametrize(
    "text", ["gap 2", "keyframe 0.5", "shot 2", "fps 1 as shown", "uniform 12 as shown"]
)
def test_text_and_rule_are_the_same(text: str) -> None:
    assert str(Sampling.parse(text)) == text
    assert str(Sampling.parse(text.removesuffix(" as shown"))) == text
    assert str(Sampling.parse(text.split()[0])) == text, "the usual number may be left out"


@pytest.mark.parametrize("text", ["", "every 2", "Gap 2"])
def test_an_unknown_rule_names_those_there_are(text: str) -> None:
    with pytest.raises(ConfigError, match=r"no sampling named .*gap, keyframe, shot, fps, uniform"):
        Sampling.parse(text)


@pytest.mark.parametrize(
    "text", ["gap 0", "gap -1", "fps nan", "uniform 1.5", "gap two", "fps inf", "fps 1e9"]
)
def test_a_bad_number_is_refused_with_those_that_are_taken(text: str) -> None:
    name, number = text.split()
    one = "a whole number" if name == "uniform" else "a number"
    with pytest.raises(ConfigError) as refused:
        Sampling.parse(text)
    assert str(refused.value) == (
        f"sampling {text!r} has {number}; give {one} above 0 and below 1,000,000, as in '{name} 2'"
    )


def test_the_largest_number_is_below_that_of_the_message() -> None:
    assert Sampling.parse("fps 999999").value == 999_999
    with pytest.raises(ConfigError, match="give a number above 0 and below 1,000,000, as in"):
        Sampling.parse("fps 1000000")


@pytest.mark.parametrize("text", ["uniform 12 from 3.0 to 8.5", "uniform 4 from 0.0 to 0.25"])
def test_a_part_of_a_video_is_written_as_it_is_read(text: str) -> None:
    assert str(Sampling.parse(text)) == f"{text} as shown"
    assert Sampling.parse(f"{text} as shown") == Sampling.parse(text)


@pytest.mark.parametrize(
    "text", ["uniform 12 from 3", "uniform 12 from 8 to 3", "fps 2 from 0 to 1"]
)
def test_a_part_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"names no part, as 'uniform 12 from 3 to 8\.5' does"):
        Sampling.parse(text)


def test_frames_of_a_part_are_the_middles_of_its_equal_spans() -> None:
    choose = selector(Sampling("uniform", 4.0, 2.0, 6.0), duration=20.0)
    times = [number / 10 for number in range(200)]
    assert [t for time in times for t in choose.push(time, False)] == [2.5, 3.5, 4.5, 5.5]
