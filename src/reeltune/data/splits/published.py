"""How large the splits of a dataset are as published, where that is known."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from reeltune.data.splits.part import Part


@dataclass(frozen=True)
class Size:
    """Size of one split; None where the source does not say."""

    videos: int | None
    captions: int | None = None


Sizes = Mapping[Part, Size]


@runtime_checkable
class Published(Protocol):
    """Settings of a dataset that was published in splits of these sizes."""

    def published(self) -> Sizes:
        """The published size of every split, by name."""
        ...


def sizes(train: Size, val: Size, test: Size) -> Sizes:
    """Three splits, by their names."""
    return {"train": train, "val": val, "test": test}


def held_out(whole: int, count: int, captions: int, test: Size) -> Sizes:
    """Sizes when `count` training videos, with `captions` each, become val for want of one."""
    train = whole - count
    left: dict[Part, Size] = {"train": Size(train, train * captions), "test": test}
    return {**left, "val": Size(count, count * captions)} if count else left
