"""The sampling rules, written the slow way over a list of (time in s, is it a keyframe)."""

import math

from reeltune.media.sampling import Sampling

Shown = list[tuple[float, bool]]


def slow_choice(
    sampling: Sampling, video: Shown, duration: float, until: float | None = None
) -> list[float]:
    """Times of the frames that a rule takes; the last one is shown `until` then, in s."""
    end = duration if until is None else until
    match sampling.kind:
        case "keyframe":
            return slow_gaps(video, math.inf, sampling.value, end)
        case "fps":
            marks = [k / sampling.value for k in range(int(end * sampling.value) + 2)]
        case "uniform":
            count = int(sampling.value)
            seen = shown_in(sampling, video, end)
            if len(seen) <= count:
                return seen
            stop = math.inf if sampling.end is None else sampling.end
            stop = min(stop, duration) if duration > sampling.start else stop
            width = (stop - sampling.start) / count
            first, width = (width / 2, width) if math.isfinite(width) else (0.0, 1.0)
            marks = [sampling.start + first + i * width for i in range(count)]
        case _:
            most = min(sampling.value, max(duration / 8, 0.25)) if duration else sampling.value
            return slow_gaps(video, most, most / 4, end)
    return sorted({on_screen(video, mark) for mark in marks if mark < end - 1e-6})


def shown_in(sampling: Sampling, video: Shown, end: float) -> list[float]:
    """Times of the frames that are on the screen at some time in the rule's span."""
    stop = math.inf if sampling.end is None else sampling.end
    times = [time for time, _ in video]
    return [
        time
        for time, gone in zip(times, [*times[1:], end], strict=True)
        if time < stop - 1e-6 and gone > sampling.start + 1e-6
    ]


def on_screen(video: Shown, mark: float) -> float:
    """What a player shows: the frames come one after the other, and each stays until the next."""
    seen = video[0][0]
    for time, _ in video:
        if time <= mark + 1e-6:
            seen = time
    return seen


def slow_gaps(video: Shown, most: float, least: float, end: float) -> list[float]:
    taken = [video[0][0]]
    end = max(end, video[-1][0])
    while True:
        later = [(t, k) for t, k in video if t > taken[-1]]
        keys = [t for t, k in later if k and t - taken[-1] >= least]
        within = [t for t, _ in later if t - taken[-1] <= most]
        if not later:
            return taken
        if keys and keys[0] - taken[-1] <= most:
            taken.append(keys[0])
        elif end - taken[-1] <= most + 1e-6 and not any(t not in within for t, _ in later):
            return taken  # the end comes before the gap does
        else:
            taken.append(within[-1] if within else later[0][0])
