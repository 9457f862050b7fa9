"""Which frames of a video are read.

Every rule is a selector: it is told the time of each frame in the order of presentation, and
whether the frame is a keyframe, and says which frames to take. It never looks back further than
one frame, so a film of any length needs no memory. The same selector runs ahead of the decoder
on the packets' timestamps, which is how frames that nobody wants are not decoded.

A rule that names instants takes what a player shows at them: a frame is on the screen from its own
time until that of the next one, the last frame until the end of the video.
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
ROUNDED = 1e-6  # s by which a timestamp may miss the instant that it stands for
TOO_MUCH = 1_000_000  # seconds, frames, or frames a second, from which on a rule is a slip
AS_SHOWN = " as shown"  # ends the text of a rule that takes what is on the screen at its marks


@dataclass(frozen=True)
class Sampling:
    """A rule and its number, given as in `gap 2` or `fps 1`.

    - `gap S`: keyframes, and frames between them so that no gap exceeds S seconds; a clip
      shorter than 8 S seconds is read at an eighth of its length instead.
    - `keyframe S`: keyframes only, none closer than S seconds to the one before.
    - `shot S`: the first frame of each shot, and frames between so that no gap exceeds S seconds.
    - `fps R`: the frame shown at each multiple of 1/R seconds.
    - `uniform N`: the frame shown at the middle of each of N equal spans, or every frame where
      there are no more than N; of a part of the video alone where `start` and `end`, in seconds,
      name one (`uniform 12 from 3 to 8.5`; `to inf` reads on to the end).

    A frame that is shown at several marks is taken once. The text of `fps` and `uniform` ends in
    "as shown", so that what is stored with it cannot be taken for what an earlier rule chose, the
    first frame at or after each mark; those two words need not be given.
    """

    kind: Kind = "gap"
    value: float = 2.0
    start: float = 0.0
    end: float | None = None

    @classmethod
    def parse(cls, text: str) -> "Sampling":
        """Read `gap 2`, or `gap` for the usual number; raises ConfigError naming the rules."""
        rule, _, span = text.removesuffix(AS_SHOWN).partition(" from ")
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
        wanted = "a whole number" if name == "uniform" else "a number"
        if not 0 < value < TOO_MUCH or (name == "uniform" and value != int(value)):
            raise ConfigError(
                f"sampling {text!r} has {number.strip()}; give {wanted} above 0 and below "
                f"{TOO_MUCH:,}, as in '{name} 2'"
            )
        return cls(name, value, *_span(text, span)) if span else cls(name, value)

    @property
    def span(self) -> tuple[float, float]:
        """Start and end, in seconds, of the part of the video that is read."""
        return self.start, math.inf if self.end is None else self.end

    def __str__(self) -> str:
        span = f" from {self.start!r} to {self.end!r}" if self.end is not None else ""
        shown = AS_SHOWN if self.kind in ("fps", "uniform") else ""
        return f"{self.kind} {self.value:g}{span}{shown}"

    def length(self, duration: float) -> float:
        """Seconds over which the marks of `uniform` are spread; 0 if that is not known."""
        start, end = self.span
        if duration > start:  # else it is not known, or is said to be less than it is
            end = min(end, duration)
        return end - start if math.isfinite(end) else 0.0


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
        """Take note of the next frame; returns the times now chosen, of this frame or the one
        before."""
        ...

    def end(self, until: float) -> Sequence[float]:
        """Take note that the last frame was shown `until`, in s; return its time if it is taken."""
        ...


class Gaps:
    """Keyframes at least `least` apart, filled so that no gap exceeds `most` seconds.

    What lies between the last frame taken and the end of the video is a gap too.
    """

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

    def end(self, until: float) -> list[float]:
        taken, latest = self._taken, self.undecided
        is_late = taken is not None and latest > taken and until - taken > self.most + ROUNDED
        return [latest] if is_late else []


class Marks:
    """The frame shown at each mark; marks ascend, and end or go on for ever.

    That is the last frame at or before a mark, or the first frame of all if there is none.
    """

    def __init__(self, first: float, step: float, count: float = math.inf) -> None:
        self._first, self._step, self._count = first, step, count
        self._past = 0  # marks that were answered
        self._latest: float | None = None
        self.ahead, self.only_keys = 0.0, False
        self.undecided = -math.inf

    def push(self, time: float, key: bool) -> list[float]:
        chosen = self.end(time)
        self._latest = time
        self.undecided = time if self._past < self._count else math.inf
        return chosen

    def end(self, until: float) -> list[float]:
        past = min(math.ceil((until - ROUNDED - self._first) / self._step), self._count)
        if self._latest is None or past <= self._past:
            return []
        self._past = int(past)
        return [self._latest]


class Every:
    """Each frame that is shown at some time between `start` and `end`, in s."""

    def __init__(self, start: float, end: float) -> None:
        self._start, self._end = start, end
        self._latest: float | None = None
        self.ahead, self.only_keys = 0.0, False
        self.undecided = -math.inf

    def push(self, time: float, key: bool) -> list[float]:
        chosen = self.end(time)
        self._latest = time
        self.undecided = time if time < self._end - ROUNDED else math.inf
        return chosen

    def end(self, until: float) -> list[float]:
        latest = self._latest
        if latest is None or latest >= self._end - ROUNDED or until <= self._start + ROUNDED:
            return []
        return [latest]


def selector(sampling: Sampling, duration: float, few: bool = False) -> Selector:
    """Selector of a rule for a video of `duration` seconds (0 where it is not known).

    `few` says that the span of `uniform` shows no more frames than are wanted.
    """
    value = sampling.value
    match sampling.kind:
        case "keyframe":
            return Gaps(math.inf, value)
        case "fps":
            return Marks(0.0, 1 / value)
        case "uniform":
            if few:
                return Every(*sampling.span)
            step = sampling.length(duration) / value
            if step > 0:
                return Marks(sampling.start + step / 2, step, value)
            return Marks(sampling.start, 1.0, value)
    if duration > 0:
        value = min(value, max(duration / FRAMES_OF_A_SHORT_CLIP, LEAST_GAP))
    return Gaps(value, value / 4)


def marks(sampling: Sampling, duration: float) -> list[float]:
    """Times that `uniform` asks for, if they lie so far apart that jumping may pay."""
    step = sampling.length(duration) / sampling.value
    if sampling.kind != "uniform" or step < JUMP_FROM:
        return []
    return [sampling.start + (number + 0.5) * step for number in range(int(sampling.value))]
