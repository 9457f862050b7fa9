"""Stretches of sound, and what in them is a voice, put together without the rest."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float32

from reeltune.media.limits import HEARD
from reeltune.media.spoken import Piece

TOGETHER = 0.05  # s; pieces that begin so near the end of the last one follow it
LONGEST = 120.0  # s that are held and heard at once
UNDONE = 1.0  # s before the end of a stretch in which a voice may still be speaking
# Of silero-VAD: when a voice begins and ends, and how much is taken around it.
VOICE: dict[str, Any] = {
    "threshold": 0.5,
    "min_speech_duration_ms": 200,
    "min_silence_duration_ms": 500,
    "max_speech_duration_s": 30.0,  # Whisper's window
    "speech_pad_ms": 200,
}
Sound = Float32[np.ndarray, " N"]
Span = tuple[int, int]  # first sample, and the one after the last


@dataclass(frozen=True)
class Packed:
    """Voices out of a stretch that begins at `time` s, one after another."""

    time: float
    samples: Sound
    spans: list[Span]  # of each voice in the stretch

    def original(self, start: float, end: float) -> tuple[float, float]:
        """When something is said, in s, that is from `start` to `end` s among the voices.

        What reaches over the end of a voice belongs to the one that holds its middle.
        """
        place = max(0, bisect_right(self._starts, (start + end) / 2) - 1)
        first, last = (sample / HEARD for sample in self.spans[place])
        shift = first - self._starts[place]
        begin = min(max(start + shift, first), last)
        return self.time + begin, self.time + max(begin, min(end + shift, last))

    @property
    def end(self) -> float:
        """When the last voice ends, in s."""
        return self.time + self.spans[-1][1] / HEARD

    @cached_property
    def _starts(self) -> list[float]:
        """s, where each voice begins among the voices."""
        lengths = [(end - begin) / HEARD for begin, end in self.spans]
        return [sum(lengths[:number]) for number in range(len(lengths))]


def packed(sound: Iterable[Piece]) -> Iterator[Packed]:
    """All voices, in stretches of about LONGEST s that end where nobody speaks."""
    time, samples = 0.0, np.zeros(0, np.float32)
    for piece in sound:
        if len(samples) and abs(piece.time - (time + len(samples) / HEARD)) > TOGETHER:
            yield from _voiced(time, samples, voices(samples))
            samples = samples[:0]
        time = time if len(samples) else piece.time
        samples = np.concatenate([samples, piece.samples.astype(np.float32) / 32768])
        if len(samples) >= LONGEST * HEARD:
            spans = voices(samples)
            end = len(samples)
            if spans and spans[-1][1] > end - UNDONE * HEARD and spans[-1][0] > end / 2:
                end = spans.pop()[0]
            yield from _voiced(time, samples, spans)
            time, samples = time + end / HEARD, samples[end:]
    if len(samples):
        yield from _voiced(time, samples, voices(samples))


def voices(samples: Sound) -> list[Span]:
    """Where somebody speaks."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    found = get_speech_timestamps(samples, VadOptions(**VOICE))
    return [(int(span["start"]), int(span["end"])) for span in found]


def _voiced(time: float, samples: Sound, spans: list[Span]) -> Iterator[Packed]:
    if spans:
        yield Packed(time, np.concatenate([samples[begin:end] for begin, end in spans]), spans)
