"""Frames out of files that may be hostile: decoding happens in a process of its own.

The worker has no network, little memory and few rights, is killed when it falls silent, and can
send nothing back but text and bytes of expected sizes (SECURITY.md). One bad file costs a worker
at most; the next file gets a new one.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from jaxtyping import UInt8

from reeltune.errors import MediaError
from reeltune.media._answers import Info, Picture, WholePicture
from reeltune.media._exchange import Exchange
from reeltune.media._process import WorkerProcess
from reeltune.media._wire import WireError
from reeltune.media.limits import Limits
from reeltune.media.sampling import Sampling
from reeltune.media.spoken import Sound, Subtitles
from reeltune.records import Pixels


@dataclass(frozen=True)
class MediaInfo:
    """What a file declares about itself; width and height in pixels as displayed, and of views as
    they come."""

    duration: float  # s; 0 where nobody knows
    width: int
    height: int
    frame_rate: float  # 1/s, on average
    codec: str
    container: str
    taken: int | None = None  # µs since 1970 (UTC), where the container says when that was


@dataclass(frozen=True)
class Frame:
    """One frame: the square that the model reads, and a small JPEG of the whole picture."""

    time: float  # s since the stream's beginning
    pixels: UInt8[np.ndarray, "3 S S"]
    thumbnail: bytes
    width: int  # as displayed
    height: int


@dataclass(frozen=True)
class View:
    """One whole frame, upright and with square pixels."""

    time: float  # s since the stream's beginning
    pixels: UInt8[np.ndarray, "H W 3"]


Given = TypeVar("Given", Frame, View)
Asked = TypeVar("Asked", bound=Exchange[Any])


class Decoder:
    """Owns one worker process, started at the first file; use one decoder per thread.

    `pixels` and `sampling` are of frames; sound and subtitles are read without them.
    """

    def __init__(
        self,
        pixels: Pixels = Pixels(size=8),
        sampling: Sampling = Sampling(),
        limits: Limits = Limits(),
    ) -> None:
        self.pixels, self.sampling, self.limits = pixels, sampling, limits
        self._worker: WorkerProcess | None = None
        self._reading: Exchange[Any] | None = None  # the file that the worker is busy with

    def __enter__(self) -> "Decoder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self, path: Path) -> "Reading[Frame]":
        """Start reading a video; raises MediaError if no part of it can be read."""
        return self.begin(Reading(self, path, self._request("frames")))

    def views(self, path: Path) -> "Reading[View]":
        """Start reading a video as whole frames, which are made smaller where a side is longer
        than `pixels.size`; raises MediaError if no part of it can be read."""
        return self.begin(Reading(self, path, self._request("views")))

    def image(self, path: Path) -> Frame:
        """A picture file as a frame; raises MediaError if it cannot be read."""
        reading: Reading[Frame] = Reading(self, path, self._request("still"))
        with self.begin(reading):
            frames = list(reading)
        if not frames:
            raise MediaError(str(path), "decoding failed: no picture came")
        return frames[0]

    def sound(self, path: Path) -> Sound:
        """Start reading the sound of a video; raises MediaError if there is some and none of it
        can be read."""
        return self.begin(Sound(self, path, {"kind": "sound"}))

    def subtitles(self, path: Path, languages: Sequence[str] = ()) -> Subtitles:
        """Start reading the subtitles inside a video, in the first of `languages` (BCP 47) that
        there is; raises MediaError if the file cannot be read."""
        return self.begin(Subtitles(self, path, {"kind": "subtitles", "languages": [*languages]}))

    def close(self) -> None:
        """End the worker; a later file would start a new one."""
        worker, self._worker, self._reading = self._worker, None, None
        if worker is not None:
            worker.kill()

    def interrupt(self) -> None:
        """Have the file in hand fail with MediaError now; any thread may ask for it."""
        if (worker := self._worker) is not None:
            worker.interrupt()

    def worker(self) -> WorkerProcess:
        """The process that decodes; a new one is started if there is none or it has ended."""
        if self._worker is None or not self._worker.is_running():
            self.close()
            self._worker = WorkerProcess(self.limits)
        return self._worker

    def _request(self, kind: str) -> dict[str, Any]:
        return {"kind": kind, "pixels": asdict(self.pixels), "sampling": str(self.sampling)}

    def begin(self, exchange: Asked) -> Asked:
        """Ask the worker about a file; raises MediaError if nothing of it can be read."""
        if self._reading is not None and not self._reading.is_done:
            self.close()  # the worker is in the middle of a file that was left
        exchange.begin()
        self._reading = exchange  # now, since a new worker forgets the file of the last one
        return exchange


class Reading(Exchange[Given]):
    """The chosen frames of one file, as they are decoded; leave the context to stop early.

    `until`, after the last frame: s, when it goes; 0 for a picture.
    """

    info: MediaInfo

    def __init__(self, decoder: Decoder, path: Path, request: dict[str, Any]) -> None:
        super().__init__(decoder, path, request)
        self._size = decoder.pixels.size
        self._is_still = request["kind"] == "still"
        self._left = 1 if self._is_still else decoder.limits.frames
        self._make = self._view if request["kind"] == "views" else self._frame

    def _open(self) -> None:
        if self._is_still:
            self.info = MediaInfo(0.0, 0, 0, 0.0, "", "")
            return
        info = self._first(Info)
        self.info = MediaInfo(**info.model_dump(exclude={"kind", "parts"}))

    def _take(self, said: object, parts: list[bytes]) -> Given:
        self._left -= 1
        return cast(Given, self._make(said, parts))

    def _view(self, said: object, parts: list[bytes]) -> View:
        if not isinstance(said, WholePicture):
            raise WireError("a message comes out of turn")
        if max(said.width, said.height) > self._size or self._left < 0:
            raise WireError("frames of the wrong size or number")
        pixels = np.frombuffer(parts[0], np.uint8).reshape(said.height, said.width, 3)
        return View(said.time, pixels)

    def _frame(self, said: object, parts: list[bytes]) -> Frame:
        if not isinstance(said, Picture):
            raise WireError("a message comes out of turn")
        if len(parts[0]) != 3 * self._size**2 or self._left < 0:
            raise WireError("frames of the wrong size or number")
        square = np.frombuffer(bytearray(parts[0]), np.uint8).reshape(3, self._size, self._size)
        return Frame(said.time, square, parts[1], said.width, said.height)


def sandbox() -> dict[str, bool]:
    """What the decoding process gives up on this system, measure by measure."""
    with Decoder() as decoder:
        try:
            return decoder.worker().sandbox
        except WireError as error:
            raise MediaError("no file", f"the decoder does not start: {error}") from error
