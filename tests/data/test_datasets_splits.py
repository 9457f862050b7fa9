"""Splits by a hash of names: even, stable, and the same for ever."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reeltune.data.splits.by_place import hold_out, place, split_by_place
from reeltune.data.splits.part import split_named
from reeltune.errors import ConfigError, DataError

PINNED = ["video2250", "video3624", "video8010"]
NAMES = st.sets(st.text(st.characters(codec="utf-8"), max_size=8), min_size=3, max_size=60)


def test_held_out_videos_never_change() -> None:
    """A figure on val is only comparable while val is the same: these are pinned."""
    ids = [f"video{n}" for n in range(9_000)]
    assert sorted(hold_out(ids, 3)) == PINNED
    assert hold_out(reversed(ids), 3) == set(PINNED)


def test_places_are_even() -> None:
    below = sum(place(f"clips/{n}.mp4") < 0.1 for n in range(10_000))
    assert 900 < below < 1_100  # 1,000 plus or minus 3.3 standard deviations


@given(NAMES)
def test_each_video_has_one_split_and_each_split_a_video(names: set[str]) -> None:
    parts = split_by_place(names)
    assert parts.keys() == names
    assert set(parts.values()) == {"train", "val", "test"}


@given(st.integers(0, 10_000))
def test_a_video_keeps_its_split_when_others_come(more: int) -> None:
    names = [f"{n}.mp4" for n in range(60)]
    assert {"test", "val"} <= {_of(place(name)) for name in names}, "no split had to be filled"
    before, after = split_by_place(names), split_by_place([*names, f"new/{more}.mp4"])
    assert before.items() <= after.items()
    assert all(part == _of(place(name)) for name, part in after.items())


def _of(where: float) -> str:
    return "test" if where < 0.1 else "val" if where < 0.2 else "train"


@pytest.mark.parametrize(("names", "count"), [(["a"], "1 video"), (["a", "b", "a"], "2 videos")])
def test_fewer_than_three_videos_are_refused(names: list[str], count: str) -> None:
    with pytest.raises(
        DataError, match=re.escape(f"{count} cannot be split in train, val and test")
    ):
        split_by_place(names)


@pytest.mark.parametrize(
    ("name", "meant"), [("TEST", "test"), ("valid", "val"), ("dev", "val"), ("Training", "train")]
)
def test_a_split_of_another_name_is_refused_with_the_one_that_was_meant(
    name: str, meant: str
) -> None:
    with pytest.raises(
        ConfigError,
        match=rf"^no split '{name}'; a split is one of train, val, test; did you mean {meant}\?$",
    ):
        split_named(name)
    with pytest.raises(ConfigError, match=r"one of train, val, test$"):
        split_named("all")
