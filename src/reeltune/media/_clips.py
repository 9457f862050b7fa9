"""A part of a video as a file of its own, which goes to the parent piece by piece; worker only."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.stream import Discard, Stream

from reeltune.media._media import Media, Refused, codec_name, reason
from reeltune.media._sound import spoken
from reeltune.media._spoken import Outlet
from reeltune.media._wire import send
from reeltune.media.limits import SOUNDS

BUFFER = 1 << 18  # bytes that are sent at once


@dataclass(frozen=True)
class Part:
    """What is cut out: times are in s, since the first picture of the video."""

    media: Media
    origin: float  # s, where that clock begins by the file's own
    start: float
    end: float
    format: str  # FFmpeg's name of the container that is written
    outlet: Outlet

    def sound(self) -> tuple[AudioStream | None, str]:
        """The sound that a player plays, or why a clip cannot have it."""
        stream = spoken(self.media.container)
        codec = codec_name(stream) if stream else ""
        if stream is None or codec in SOUNDS:
            return stream, ""
        return None, f"its sound is left out: {codec} is not on the list of decoders"

    def nothing(self, trouble: str) -> Refused:
        """An error that says that nothing is there to be cut, and why."""
        why = trouble or f"the video is {self.media.duration:.1f} s long"
        return Refused(f"no picture is shown from {self.start:g} to {self.end:g} s ({why})")

    def begin(self, start: float) -> None:
        """Say where in the video the clip begins."""
        facts = {"duration": self.media.duration, "start": start}
        send(self.outlet.answers, {"kind": "clipped", **facts})

    @contextmanager
    def written(self) -> Iterator[OutputContainer]:
        """The container of the clip, whose bytes go to the parent as they are written."""
        outflow = Outflow(self.outlet.answers)
        try:
            with av.open(outflow, "w", format=self.format, buffer_size=BUFFER) as container:
                yield container
        except av.error.FFmpegError as error:
            raise Refused(f"no {self.format} file can be made of it ({reason(error)})") from error


class Outflow(io.RawIOBase):
    """A file that only the parent has: what is written here goes there, with its place."""

    def __init__(self, answers: IO[bytes]) -> None:
        self._answers, self._at, self._end = answers, 0, 0

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Send bytes, and their place."""
        send(self._answers, {"kind": "written", "at": self._at}, data)
        self._at += len(data)
        self._end = max(self._end, self._at)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, of which nothing is told until something is written there."""
        bases = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._end}
        self._at = bases[whence] + offset
        return self._at

    def tell(self) -> int:
        return self._at


def take_only(media: Media, *streams: Stream | None) -> None:
    """Read packets of these streams alone."""
    wanted = {stream.index for stream in streams if stream is not None}
    for stream in media.container.streams:
        stream.discard = Discard.default if stream.index in wanted else Discard.all
