"""Splits that depend on nothing but names: the same on every machine and in every run."""

from collections.abc import Collection, Iterable, Mapping
from hashlib import sha256
from itertools import combinations

from reeltune.data.splits.part import Part
from reeltune.errors import ConfigError, DataError, NoSplitError, counted

TEST, VAL = 0.1, 0.1  # shares of the videos


def place(name: str) -> float:
    """A number in [0, 1) that only depends on the name, evenly spread over names."""
    return int.from_bytes(sha256(name.encode()).digest()[:6]) / 2**48


def hold_out(videos: Iterable[str], count: int) -> frozenset[str]:
    """The `count` videos with the lowest places, by which settings are chosen."""
    ordered = sorted(set(videos), key=place)
    if count >= len(ordered):
        raise ConfigError(
            f"hold_out is {count} of {counted(len(ordered), 'training video')}; hold out fewer "
            f"than there are, such as --set options.hold_out={len(ordered) // 10 or 1}"
        )
    return frozenset(ordered[:count])


def take_split(videos: Iterable[str], count: int, split: Part) -> set[str]:
    """Training videos without those held out, or those held out where `split` is "val"."""
    everything = set(videos)
    held_out = hold_out(everything, count)
    if split == "train":
        return everything - held_out
    if not held_out:
        raise NoSplitError(
            "hold_out is 0, so there is no val split; --set options.hold_out=500 takes 500 videos "
            "out of train"
        )
    return set(held_out)


def split_by_place(videos: Iterable[str]) -> dict[str, Part]:
    """About 10 % of videos as test, 10 % as val, the rest as train; each has at least one.

    A video keeps its split when others come and go, unless there are so few that a split would
    be empty. Raises DataError for fewer than three videos.
    """
    ordered = sorted(set(videos), key=place)
    if len(ordered) < 3:
        raise DataError(
            f"{counted(len(ordered), 'video')} cannot be split in train, val and "
            "test, where copies of a file count as one; caption at least three"
        )
    below = [sum(place(video) < share for video in ordered) for share in (TEST, TEST + VAL)]
    test = min(max(below[0], 1), len(ordered) - 2)
    val = min(max(below[1], test + 1), len(ordered) - 1)
    return {
        video: "test" if rank < test else "val" if rank < val else "train"
        for rank, video in enumerate(ordered)
    }


def refuse_leak(splits: Mapping[Part, Collection[str]], source: str) -> None:
    """Raise DataError if two splits share a video."""
    for one, other in combinations(splits, 2):
        shared = sorted(set(splits[one]) & set(splits[other]))
        if shared:
            raise DataError(
                f"{source}: {one} and {other} share {counted(len(shared), 'video')}, first "
                f"{shared[0]}; what is learned from must not be tested on, so leave it in one"
            )
