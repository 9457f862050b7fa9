"""What is said in a file, as its worker sends it: sound, and subtitles."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int16

from reeltune.media._answers import Cue, Hearing, Samples, Subtitled
from reeltune.media._exchange import Exchange, Owner
from reeltune.media._wire import WireError
from reeltune.media.limits import HEARD


@dataclass(frozen=True)
class Piece:
    """A few seconds of sound, of one channel, HEARD samples a second.

    The next piece begins where this one ends, except after a gap in the sound.
    """

    time: float  # s, by the clock of the frames; a little below 0 where sound begins before them
    samples: Int16[np.ndarray, " N"]


@dataclass(frozen=True)
class Subtitle:
    """One subtitle as it stands in its stream, markup included."""

    start: float  # s, by the clock of the frames
    end: float  # s; equal to `start` where the file does not say
    text: str


class Sound(Exchange[Piece]):
    """The sound of a file in pieces; without any where the file has no sound."""

    duration: float  # s, of the video; 0 where nobody knows
    codec: str  # "" where there is no sound

    def __init__(self, owner: Owner, path: Path, request: dict[str, Any]) -> None:
        super().__init__(owner, path, request)
        self._left = (owner.limits.duration + 60) * HEARD

    def _open(self) -> None:
        said = self._first(Hearing)
        self.duration, self.codec = said.duration, said.codec

    def _take(self, said: object, parts: list[bytes]) -> Piece:
        if not isinstance(said, Samples):
            raise WireError("a message comes out of turn")
        samples = np.frombuffer(parts[0], "<i2").astype(np.int16)
        self._left -= len(samples)
        if self._left < 0:
            raise WireError("more sound than is allowed")
        return Piece(said.time, samples)


class Subtitles(Exchange[Subtitle]):
    """The subtitles of one stream of a file; without any where none is text."""

    codec: str  # "" where there are none
    language: str  # BCP 47, "" where the file does not say

    def __init__(self, owner: Owner, path: Path, request: dict[str, Any]) -> None:
        super().__init__(owner, path, request)
        self._left = owner.limits.cues

    def _open(self) -> None:
        said = self._first(Subtitled)
        self.codec, self.language = said.codec, said.language

    def _take(self, said: object, parts: list[bytes]) -> Subtitle:
        self._left -= 1
        if not isinstance(said, Cue) or self._left < 0:
            raise WireError("a message comes out of turn")
        return Subtitle(said.start, said.end, parts[0].decode(errors="replace"))
