"""The sampling rules, written the slow way over a list of (time in s, is it a keyframe)."""

import math

from reeltune.data._sample import Sampling

Shown = list[tuple[float, bool]]


def slow_choice(sampling: Sampling, video: Shown, duration: float) -> list[float]:
    """Times of the frames that a rule takes."""
    times = [time for time, _ in video]
    match sampling.kind:
        case "keyframe":
            return slow_gaps(video, math.inf, sampling.value)
        case "fps":
            marks = [k / sampling.value for k in range(int(times[-1] * sampling.value) + 2)]
        case "uniform":
            count = int(sampling.value)
            marks = [(i + 0.5) * duration / count for i in range(count)]
        case _:
            most = min(sampling.value, max(duration / 8, 0.25)) if duration else sampling.value
            return slow_gaps(video, most, most / 4)
    firsts = (min((t for t in times if t >= mark - 1e-6), default=None) for mark in marks)
    return sorted({t for t in firsts if t is not None})


def slow_gaps(video: Shown, most: float, least: float) -> list[float]:
    taken = [video[0][0]]
    while True:
        later = [(t, k) for t, k in video if t > taken[-1]]
        keys = [t for t, k in later if k and t - taken[-1] >= least]
        within = [t for t, _ in later if t - taken[-1] <= most]
        if not later:
            return taken
        if keys and keys[0] - taken[-1] <= most:
            taken.append(keys[0])
        elif later[-1][0] - taken[-1] <= most:
            return taken  # the end comes before the gap does
        else:
            taken.append(within[-1] if within else later[0][0])
