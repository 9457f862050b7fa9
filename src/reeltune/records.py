"""Data that crosses between parts and holds no tensor, so that it is here without torch."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from pydantic import ConfigDict


@dataclass(frozen=True, kw_only=True)
class Pixels:
    """How a model wants its frames: geometry only; a model normalises colour itself.

    `crop` brings the shorter side to `shortest` and cuts the middle `size` x `size`;
    `squash` brings both sides to `size` and ignores the aspect; `pad` brings the longer side to
    `size` and puts as much black on both ends of the other.
    """

    size: int
    fit: Literal["crop", "squash", "pad"] = "crop"
    resample: Literal["bilinear", "bicubic"] = "bicubic"
    shortest: int | None = None  # None: the same as `size`


Precision = Literal["float32", "bfloat16", "int8"]  # in which a model reads frames
Part = Literal["train", "val", "test"]  # a split of a dataset
PARTS: tuple[Part, ...] = get_args(Part)
NAMED = 5  # of what was left out for one reason, how many are named


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Things of one kind that one reason kept out of a split, or let in only in part."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    what: str  # one of them, such as "video" or "caption"
    reason: str  # such as "not in the folder videos"
    count: int
    names: tuple[str, ...] = ()  # the first few
    missing: bool = True  # whether a figure lacks it; else it is there in some way, or unasked for

    def __str__(self) -> str:
        named = ", ".join([*self.names, *["..."] * (self.count > len(self.names) > 0)])
        kind = f"{self.count:,} {self.what}{'s' * (self.count != 1)} ({self.reason})"
        return f"{kind}: {named}" if named else kind


def collect_left_out(
    what: str, reasons: Iterable[tuple[str, str]], missing: bool = True
) -> tuple[LeftOut, ...]:
    """One entry for each reason; `reasons` are names, each with its own."""
    alike: dict[str, list[str]] = {}
    for name, reason in reasons:
        alike.setdefault(reason, []).append(name)
    return tuple(
        LeftOut(
            what=what,
            reason=reason,
            count=len(names),
            names=tuple(names[:NAMED]),
            missing=missing,
        )
        for reason, names in alike.items()
    )


Channel = Literal["seen", "said", "shown"]  # by what a moment may be found


@dataclass(frozen=True, kw_only=True)
class Phrase:
    """Words of a video and when they are said or shown."""

    start: float  # seconds since the stream's beginning
    end: float  # seconds
    text: str  # one line, NFC, without control characters and markup


@dataclass(frozen=True, kw_only=True)
class Quoted(Phrase):
    """A phrase, or two that follow each other, in which words of a query were found."""

    marks: tuple[tuple[int, int], ...]  # from and to which letter of the text each of them stands


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A part of a video that a library can find."""

    path: str  # as given at the last indexing
    location: str  # absolute, links resolved, so it can be opened from anywhere
    start: float  # seconds
    end: float  # seconds
    duration: float  # of the whole file, seconds
    caption: str | None = None  # what a model wrote about the moment; None where none did
    date: str = ""  # UTC, ISO 8601: when the video was taken, else when its file last changed
    id: str = ""  # opaque, stable while the file's content and the library's settings are
    file: str = ""  # the id of its `File`, stable while the content is


@dataclass(frozen=True, kw_only=True)
class Hit(Moment):
    """A moment that answers a query."""

    score: float  # cosine of query and moment, or `similarity` of a `Rescored` model and a text;
    # and what words add to it
    confidence: float | None  # chance that the moment matches, calibrated for cosines; else None
    similar: int = 0  # near-duplicates folded into this hit
    parts: Mapping[Channel, float] = field(default_factory=dict)  # of the score, by channel
    said: Quoted | None = None  # what is said that matches; the times are those of the hit where
    shown: Quoted | None = None  # it matches by words; and what is shown
