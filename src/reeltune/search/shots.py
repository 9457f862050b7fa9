"""Turns frames into moments: finds where shots change, and lays windows of a sensible length
over them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, UInt8


@dataclass(frozen=True, kw_only=True)
class MomentSettings:
    """Lengths in seconds; part of a library's settings, since they shape what is stored."""

    shortest: float = 3.0  # shots below this join a neighbour
    longest: float = 12.0  # shots above this are cut into overlapping windows
    window: float = 8.0  # length of such a window
    cut: float = 0.33  # change of signature (0 to 1) that makes a new shot

    def __str__(self) -> str:
        return f"shots {self.shortest:g}-{self.longest:g} window {self.window:g} cut {self.cut:g}"


@dataclass(frozen=True)
class Segment:
    """One moment: seconds from `start` to `end`, frames `first` up to but not including `stop`."""

    start: float
    end: float
    first: int
    stop: int


def signature(pixels: UInt8[np.ndarray, "3 S S"]) -> Float[np.ndarray, "256"]:
    """Colour histogram of each quarter of a frame (4 x 4 x 4 bins), each quarter summing to 1/4.

    Quarters make a cut between two scenes of like colours visible; coarse bins forgive motion.
    """
    side = pixels.shape[1] // 2 * 2
    levels = (pixels[:, :side, :side] >> 6).astype(np.int64)  # (3, S, S), 0 to 3
    bins = (levels[0] * 16 + levels[1] * 4 + levels[2]).reshape(2, side // 2, 2, side // 2)
    quarters = np.arange(4).reshape(2, 1, 2, 1) * 64
    counts = np.bincount((bins + quarters).ravel(), minlength=256)
    return counts / counts.sum()


def change(a: Float[np.ndarray, "256"], b: Float[np.ndarray, "256"]) -> float:
    """Share of the picture whose colour changed, 0 to 1: half the L1 distance of signatures."""
    return float(np.abs(a - b).sum() / 2)


def segments(
    times: Sequence[float],
    signatures: Sequence[Float[np.ndarray, "256"]],
    duration: float,
    settings: MomentSettings = MomentSettings(),
) -> list[Segment]:
    """Moments that cover a video: every frame is in at least one, and none is empty.

    `times` are the frames' timestamps in seconds, ascending. A shot begins at the first frame that
    differs from the one before, which with keyframes is where the encoder saw the cut.
    """
    shots = _merge_short(_shots(times, signatures, settings.cut), times, duration, settings)
    return [part for shot in shots for part in _windows(shot, times, duration, settings)]


def _shots(
    times: Sequence[float], signatures: Sequence[Float[np.ndarray, "256"]], cut: float
) -> list[tuple[int, int]]:
    pairs = pairwise(signatures)
    starts = [0, *(i for i, (a, b) in enumerate(pairs, 1) if change(a, b) > cut)]
    return list(zip(starts, [*starts[1:], len(times)], strict=True))


def _merge_short(
    shots: list[tuple[int, int]], times: Sequence[float], duration: float, settings: MomentSettings
) -> list[tuple[int, int]]:
    """Join a shot to the one before while either is short and the sum is not long."""
    merged: list[tuple[int, int]] = []
    for shot in shots:
        if merged:
            before, joined = merged[-1], (merged[-1][0], shot[1])
            short = min(_length(before, times, duration), _length(shot, times, duration))
            if short < settings.shortest and _length(joined, times, duration) <= settings.longest:
                merged[-1] = joined
                continue
        merged.append(shot)
    return merged


def _windows(
    shot: tuple[int, int], times: Sequence[float], duration: float, settings: MomentSettings
) -> list[Segment]:
    """The shot itself, or windows that overlap by half and together cover it."""
    first, stop = shot
    begin, length = times[first], _length(shot, times, duration)
    if length <= settings.longest:
        return [Segment(begin, begin + length, first, stop)]
    count = max(2, round(2 * length / settings.window) - 1)
    step = length / (count + 1)  # windows of two steps, each a step after the last
    inside = np.asarray(times[first:stop])
    made = []
    for i in range(count):
        start, end = begin + i * step, begin + (i + 2) * step
        low, high = np.searchsorted(inside, [start - 1e-6, end - 1e-6])
        if high > low:
            made.append(Segment(start, end, first + int(low), first + int(high)))
    return made


def _length(shot: tuple[int, int], times: Sequence[float], duration: float) -> float:
    end = times[shot[1]] if shot[1] < len(times) else max(duration, times[-1])
    return end - times[shot[0]]
