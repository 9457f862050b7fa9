"""Cuts a part of a video out as a file of its own.

The video is read, and encoded where that is asked for, by the sandboxed worker; what comes of it
is written here, whole or not at all.
"""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from reeltune.errors import ConfigError
from reeltune.media._answers import Clipped, Written
from reeltune.media._exchange import Exchange, Owner
from reeltune.media._index_first import put_index_first
from reeltune.media._wire import WireError
from reeltune.media.decoder import Decoder
from reeltune.media.limits import Limits
from reeltune.storage.atomic_file import replacing
from reeltune.storage.outputs import require_new_file

FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}  # FFmpeg's names


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A part of a video that was cut out."""

    path: str  # where it lies
    start: float  # s of the video at which it begins
    end: float  # s of the video at which it ends
    size: int  # bytes
    note: str  # what is wrong with it, empty if nothing is


def cut(
    video: str | Path,
    start: float,
    end: float,
    out: Path,
    *,
    exact: bool = False,
    force: bool = False,
    limits: Limits = Limits(),
) -> Clip:
    """Write the part of a video from `start` to `end` seconds, with the sound that a player plays.

    Packets are copied as they are, which loses nothing and takes no time, so the clip begins at the
    last keyframe at or before `start`, and may end a few pictures late. An `exact` one is encoded
    anew, as H.264 and AAC. The suffix of `out` says which container is written. The index of an mp4
    or mov comes first, so that a browser plays it before it has all of it.

    Raises ConfigError for times that are none, and a place that cannot be written or is taken
    (unless `force`); MediaError where the video cannot be read, or its packets do not fit into the
    container; OSError for a disk that is full.
    """
    with Decoder(limits=limits) as decoder:
        return cut_by(decoder, video, start, end, out, exact=exact, force=force)


def cut_by(
    decoder: Decoder,
    video: str | Path,
    start: float,
    end: float,
    out: Path,
    *,
    exact: bool = False,
    force: bool = False,
) -> Clip:
    """As `cut`, by a worker that is there, so that each of many clips need not start its own."""
    require_span(start, end, decoder.limits)
    require_place(Path(video), out, force)
    request = {"kind": "clip", "span": [start, end], "exact": exact, "format": _format_of(out)}
    clipping = decoder.begin(Clipping(decoder, Path(video), request))
    with clipping, replacing(out) as half:
        size = _write(clipping, half, out)
    return Clip(
        path=str(out), start=clipping.start, end=clipping.until, size=size, note=clipping.note
    )


def require_span(start: float, end: float, limits: Limits = Limits()) -> None:
    """Raise ConfigError for a clip that does not end after it begins, or is too long."""
    if not (math.isfinite(start) and math.isfinite(end) and 0 <= start < end):
        raise ConfigError(
            f"a clip from {start:g} to {end:g} s has no length; let it end after it begins"
        )
    if end - start > limits.clip:
        raise ConfigError(
            f"a clip of {end - start:.0f} s is longer than the limit of {limits.clip:.0f} s; cut "
            "a shorter one"
        )


def require_place(video: Path, out: Path, force: bool) -> None:
    """Raise ConfigError unless a clip of a video can be written to `out`."""
    _format_of(out)
    require_new_file(out, force)
    if os.path.realpath(out) == os.path.realpath(video):
        raise ConfigError(f"{out} is the video itself; give the clip another name")


def _format_of(out: Path) -> str:
    if out.suffix.lower() not in FORMATS:
        raise ConfigError(
            f"{out} does not say what a clip is to be; end its name in {', '.join(FORMATS)}"
        )
    return FORMATS[out.suffix.lower()]


class Clipping(Exchange[tuple[int, bytes]]):
    """A clip as it is made: bytes, each time with their place in its file.

    `until`, after the last: s of the video, when its last picture goes.
    """

    start: float  # s of the video, where the clip begins

    def __init__(self, owner: Owner, path: Path, request: dict[str, Any]) -> None:
        super().__init__(owner, path, request)
        self._most = owner.limits.cut
        self._sent = 0

    def _open(self) -> None:
        self.start = self._first(Clipped).start

    def _take(self, said: object, parts: list[bytes]) -> tuple[int, bytes]:
        if not isinstance(said, Written):
            raise WireError("a message comes out of turn")
        self._sent += len(parts[0])  # a place may be written again, but not without end
        if self._sent > self._most or said.at > self._sent:
            raise WireError(f"the clip has more than {self._most:,} bytes, which is the limit")
        return said.at, parts[0]


def _write(clipping: Clipping, half: Path, out: Path) -> int:
    """Write what comes to a file; returns how many bytes it has."""
    with half.open("w+b") as file:
        for at, data in clipping:
            _put(file, at, data, out)
        if _format_of(out) != "matroska":
            put_index_first(file)
        _flush(file, out)
        return file.seek(0, os.SEEK_END)


def _put(file: BinaryIO, at: int, data: bytes, out: Path) -> None:
    try:
        file.seek(at)
        file.write(data)
    except OSError as error:  # which does not say where
        raise OSError(error.errno, error.strerror, str(out)) from error


def _flush(file: BinaryIO, out: Path) -> None:
    try:
        file.flush()
        os.fsync(file.fileno())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(out)) from error
