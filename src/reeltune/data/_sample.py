"""Which frames of a video are read.

Every rule is a selector: it is told the time of each frame in the order of presentation, and
whether the frame is a keyframe, and says which frames to take. It never looks back further than
one frame, so a film of any length needs no memory. The same selector runs ahead of the decoder
on the packets' timestamps, which is how frames that nobody wants are not decoded.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from reeltune.errors import ConfigError

Kind = Literal["gap", "keyframe", "shot", "fps", "uniform"]
KINDS: tuple[Kind, ...] = ("gap", "keyframe", "shot", "fps", "uniform")
DEFAULTS = {"gap": 2.0, "keyframe": 0.5, "shot": 2.0, "fps": 1.0, "uniform": 12.0}
FRAMES_OF_A_SHORT_CLIP = 8
JUMP_FROM = 10.0  # s between frames from which jumping may be cheaper than reading through
LEAST_GAP = 0.25  # s; a shorter clip simply has fewer frames


@dataclass(frozen=True)
class Sampling:
    """A rule and its number, written as in `gap 2`.

    - `gap S`: keyframes, and frames between them so that no gap exceeds S seconds; a clip
      shorter than 8 S seconds is read at an eighth of its length instead.
    - `keyframe S`: keyframes only, none closer than S seconds to the one before.
    - `shot S`: the first frame of each shot, and frames between so that no gap exceeds S seconds.
    - `fps R`: the first frame at or after each multiple of 1/R seconds.
    - `uniform N`: the first frame at or after the middle of each of N equal spans; of a part of
      the video alone where `start` and `end`, in seconds, name one (`uniform 12 from 3 to 8.5`;
      `to inf` reads on to the end).
    """

    kind: Kind = "gap"
    value: float = 2.0
    start: float = 0.0
    end: float | None = None

    @classmethod
    def parse(cls, text: str) -> "Sampling":
        """Read `gap 2`, or `gap` for the usual number; raises ConfigError naming the rules."""
        rule, _, span = text.partition(" from ")
        name, _, number = rule.strip().partition(" ")
        if name not in KINDS:
            raise ConfigError(
                f"no sampling named {name!r}; there are: {', '.join(KINDS)}, "
                f"each with a number, as in 'gap 2'"
            )
        try:
            value = float(number) if number else DEFAULTS[name]
        except ValueError:
            value = math.nan
        if not 0 < value < 1e6 or (name == "uniform" and value != int(value)):
            raise ConfigError(f"sampling {text!r} needs a number above 0, as in '{name} 2'")
        return cls(name, value, *_span(text, span)) if span else cls(name, value)

    def __str__(self) -> str:
        span = f" from {self.start!r} to {self.end!r}" if self.end is not None else ""
        return f"{self.kind} {self.value:g}{span}"

    def length(self, duration: float) -> float:
        """Seconds that the marks of `uniform` are spread over; 0 where nobody knows."""
        end = duration if self.end is None else min(self.end, duration or self.end)
        return max(end - self.start, 0.0) if math.isfinite(end) else 0.0


def _span(text: str, span: str) -> tuple[float, float]:
    try:
        start, end = (float(part) for part in span.split(" to "))
    except ValueError:
        start = end = math.nan
    if not (text.startswith("uniform") and 0 <= start < end):
        raise ConfigError(f"sampling {text!r} names no part, as 'uniform 12 from 3 to 8.5' does")
    return start, end


@runtime_checkable
class Selector(Protocol):
    """Chooses frames by time."""

    undecided: float  # frames from this time on may still be chosen
    ahead: float  # s that it must see past a frame to know all about it
    only_keys: bool  # whether a frame that is no keyframe is never chosen, but for the first

    def push(self, time: float, key: bool) -> Sequence[float]:
        """Tell of the next frame; returns times now chosen: of this frame, or the one before."""
        ...


class Gaps:
    """Keyframes at least `least` apart, filled so that no gap exceeds `most` seconds."""

    def __init__(self, most: float, least: float) -> None:
        self.most, self.least = most, least
        self.only_keys = not math.isfinite(most)
        self.ahead = 0.0 if self.only_keys else most
        self.undecided = -math.inf
        self._taken: float | None = None

    def push(self, time: float, key: bool) -> list[float]:
        before, self.undecided = self.undecided, time
        if self._taken is None:
            self._taken = time
            return [time]
        chosen = []
        if time - self._taken > self.most and before > self._taken:
            chosen.append(before)  # the latest frame that still keeps the gap
            self._taken = before
        if time - self._taken > self.most or (key and time - self._taken >= self.least):
            chosen.append(time)
            self._taken = time
        return chosen


class Marks:
    """The first frame at or after each mark; marks ascend, and end or go on for ever."""

    def __init__(self, first: float, step: float, count: float = math.inf) -> None:
        self._first, self._step, self._count = first, step, count
        self._next = 0
        self.ahead, self.only_keys = 0.0, False
        self.undecided = -math.inf

    def push(self, time: float, key: bool) -> list[float]:
        self.undecided = math.nextafter(time, math.inf)
        if self._next >= self._count or time < self._mark(self._next):
            return []
        passed = math.floor((time - self._first) / self._step + 1e-9) + 1
        self._next = max(self._next + 1, passed)
        return [time]

    def _mark(self, number: int) -> float:
        return self._first + number * self._step - 1e-6  # timestamps are rounded


def selector(sampling: Sampling, duration: float) -> Selector:
    """Selector of a rule for a video of `duration` seconds (0 where it is not known)."""
    value = sampling.value
    match sampling.kind:
        case "keyframe":
            return Gaps(math.inf, value)
        case "fps":
            return Marks(0.0, 1 / value)
        case "uniform":
            step = sampling.length(duration) / value or 1.0
            return Marks(sampling.start + step / 2, step, value)
    if duration > 0:
        value = min(value, max(duration / FRAMES_OF_A_SHORT_CLIP, LEAST_GAP))
    return Gaps(value, value / 4)


def marks(sampling: Sampling, duration: float) -> list[float]:
    """Times that `uniform` asks for, where they lie so far apart that jumping may pay."""
    step = sampling.length(duration) / sampling.value
    if sampling.kind != "uniform" or step < JUMP_FROM:
        return []
    return [sampling.start + (number + 0.5) * step for number in range(int(sampling.value))]
