"""Encodes frames of several files in full batches, and sorts them back into moments of each
file."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, UInt8

from reeltune.media.decoder import Frame, MediaInfo
from reeltune.records import Precision
from reeltune.search._array_encoder import Row
from reeltune.search._dhash import dhash
from reeltune.search.encoder import Encoder
from reeltune.search.report import Failed, reason_of
from reeltune.search.shots import MomentSettings, Segment, segments, signature
from reeltune.search.store.schema import Moments, VideoFile

BATCH = 32  # frames, or moments where a model must see whole moments


@dataclass
class _Growing:
    """The parts of a file whose frames are still arriving."""

    info: MediaInfo
    times: list[float] = field(default_factory=list)
    signatures: list[Float[np.ndarray, "256"]] = field(default_factory=list)
    dhashes: list[int] = field(default_factory=list)
    thumbnails: list[bytes] = field(default_factory=list)
    encoded: list[Row] = field(default_factory=list)  # per frame
    note: str | None = None  # set when the last frame has arrived


class Gatherer:
    """Takes frames as they come and yields each file's moments once it is complete.

    A model that reads frames alone sees them in batches that run across files, so many short
    clips cost no more than one long film; any other model is given whole moments.
    """

    def __init__(self, encoder: Encoder, settings: MomentSettings) -> None:
        self._encoder, self._settings = encoder, settings
        self._growing: dict[VideoFile, _Growing] = {}
        self._waiting: list[tuple[_Growing, UInt8[np.ndarray, "3 S S"]]] = []

    @property
    def precision(self) -> tuple[Precision, str]:
        """The precision in which frames are read, and a sentence about it if there is one; opens
        the model."""
        return self._encoder.precision

    def open(self, file: VideoFile, info: MediaInfo) -> None:
        self._growing[file] = _Growing(info)

    def drop(self, location: str) -> None:
        """Forget a file that broke before its end."""
        for file in [f for f in self._growing if f.location == location]:
            gone = self._growing.pop(file)
            self._waiting = [pair for pair in self._waiting if pair[0] is not gone]

    def add(self, file: VideoFile, frames: list[Frame]) -> None:
        growing = self._growing[file]
        for frame in frames:
            growing.times.append(frame.time)
            growing.signatures.append(signature(frame.pixels))
            growing.dhashes.append(dhash(frame.pixels))
            growing.thumbnails.append(frame.thumbnail)
            self._waiting.append((growing, frame.pixels))
        while len(self._waiting) >= BATCH:
            self._encode(BATCH)

    def end(self, file: VideoFile, note: str) -> None:
        self._growing[file].note = note

    def ready(self, flush: bool = False) -> Iterator[Moments | Failed]:
        """Moments of the files that are complete, or why one has none; `flush` encodes what is
        waiting first."""
        while flush and self._waiting:
            self._encode(BATCH)
        for file, growing in list(self._growing.items()):
            if growing.note is not None and len(growing.encoded) == len(growing.times):
                del self._growing[file]
                try:
                    yield self._moments(file, growing)
                except Exception as error:  # whatever it is, it costs this file alone
                    yield Failed(file.path, reason_of(error))

    def last(self) -> Iterator[Moments | Failed]:
        """Moments of the files whose frames have all come, where no more frames will."""
        for file in [file for file, growing in self._growing.items() if growing.note is None]:
            self.drop(file.location)
        yield from self.ready(flush=True)

    def _encode(self, count: int) -> None:
        batch = self._waiting[:count]
        encoded = self._encoder.arrays.rows(np.stack([pixels for _, pixels in batch]))
        for (growing, _), row in zip(batch, encoded, strict=True):
            growing.encoded.append(row)
        self._waiting = self._waiting[count:]  # last, as Ctrl-C may come while they are encoded

    def _moments(self, file: VideoFile, growing: _Growing) -> Moments:
        info, times = growing.info, growing.times
        parts = segments(times, growing.signatures, info.duration, self._settings)
        vectors = self._vectors(growing.encoded, parts)
        middle = [(part.first + part.stop) // 2 for part in parts]
        mean, std = self._encoder.baseline.of(vectors)
        return Moments(
            file=file,
            duration=max(info.duration, times[-1]),
            width=info.width,
            height=info.height,
            note=growing.note or "",
            start=np.array([part.start for part in parts]),
            end=np.array([part.end for part in parts]),
            vector=vectors,
            dhash=np.array([growing.dhashes[i] for i in middle]),
            thumbnail=[growing.thumbnails[i] for i in middle],
            baseline_mean=mean,
            baseline_std=std,
            taken=info.taken,
        )

    def _vectors(self, encoded: list[Row], parts: list[Segment]) -> Float[np.ndarray, "N D"]:
        clips = [encoded[part.first : part.stop] for part in parts]
        batches = range(0, len(clips), BATCH)
        return np.concatenate(
            [self._encoder.arrays.clips(clips[at : at + BATCH]) for at in batches]
        )
