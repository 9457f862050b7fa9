"""Frames out of files that may be hostile: decoding happens in a process of its own.

The worker has no network, little memory and few rights, is killed when it falls silent, and can
send nothing back but text and bytes of expected sizes (SECURITY.md). One bad file costs a worker
at most; the next file gets a new one.
"""

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import numpy as np
from jaxtyping import UInt8

from reeltune.errors import MediaError
from reeltune.media._answers import Alive, End, Info, Picture, Refusal, WholePicture
from reeltune.media._process import Patience, WorkerProcess
from reeltune.media._wire import WireError
from reeltune.media.limits import Limits, minutes
from reeltune.media.sampling import Sampling
from reeltune.types import Pixels


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


class Decoder:
    """Owns one worker process, started at the first file; use one decoder per thread."""

    def __init__(
        self, pixels: Pixels, sampling: Sampling = Sampling(), limits: Limits = Limits()
    ) -> None:
        self.pixels, self.sampling, self.limits = pixels, sampling, limits
        self._worker: WorkerProcess | None = None
        self._reading: Reading[Any] | None = None  # the file that the worker is busy with

    def __enter__(self) -> "Decoder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self, path: Path) -> "Reading[Frame]":
        """Start reading a video; raises MediaError if no part of it can be read."""
        return cast("Reading[Frame]", self._read(path))

    def views(self, path: Path) -> "Reading[View]":
        """Start reading a video as whole frames, which are made smaller where a side is longer
        than `pixels.size`; raises MediaError if no part of it can be read."""
        return cast("Reading[View]", self._read(path, whole=True))

    def image(self, path: Path) -> Frame:
        """A picture file as a frame; raises MediaError if it cannot be read."""
        with self._read(path, still=True) as reading:
            frames: list[Frame] = list(reading)
        if not frames:
            raise MediaError(str(path), "decoding failed: no picture came")
        return frames[0]

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

    def _read(self, path: Path, still: bool = False, whole: bool = False) -> "Reading[Any]":
        if self._reading is not None and not self._reading.is_done:
            self.close()  # the worker is in the middle of a file that was left
        request = {
            "pixels": asdict(self.pixels),
            "sampling": str(self.sampling),
            "still": still,
            "whole": whole,
        }
        self._reading = Reading(self, path, request)
        return self._reading


class Reading(Generic[Given]):
    """The chosen frames of one file, as they are decoded; leave the context to stop early."""

    def __init__(self, decoder: Decoder, path: Path, request: dict[str, Any]) -> None:
        self.note = ""  # after the last frame: what was wrong with the file, if anything
        self.until = 0.0  # after the last frame: s, when it goes; 0 for a picture
        self.is_done = False
        self._decoder, self._path = decoder, path
        self._patience = Patience(decoder.limits)
        self._left = 1 if request["still"] else decoder.limits.frames
        self._take = self._view if request["whole"] else self._frame
        self.info = self._begin(request)

    def __enter__(self) -> "Reading[Given]":
        return self

    def __exit__(self, *_: object) -> None:
        if not self.is_done:
            self._give_up()

    def __iter__(self) -> Iterator[Given]:
        return self

    def __next__(self) -> Given:
        if self.is_done:
            raise StopIteration
        try:
            said, parts = self._hear()
            if not isinstance(said, End):
                self._left -= 1
                return cast(Given, self._take(said, parts))
        except WireError as error:
            raise self._broken(error) from error
        self.note, self.until, self.is_done = said.note, said.until, True
        raise StopIteration

    def _begin(self, request: dict[str, Any]) -> MediaInfo:
        try:
            self._worker = self._decoder.worker()
            self._ask(request)
            if request["still"]:
                return MediaInfo(0.0, 0, 0, 0.0, "", "")
            info, _ = self._hear()
            if not isinstance(info, Info):
                raise WireError("a message comes out of turn")
        except (WireError, OSError) as error:
            raise self._broken(error) from error
        self._patience.grant(minutes(info.duration, _size(self._path)))
        return MediaInfo(**info.model_dump(exclude={"kind", "parts"}))

    def _ask(self, request: dict[str, Any]) -> None:
        """Hand the file to the worker; raises MediaError if it cannot be opened."""
        try:
            self._worker.ask(os.path.abspath(self._path), request)
        except OSError as error:
            self.is_done = True
            reason = f"cannot be opened ({error.strerror})"
            raise MediaError(str(self._path), reason) from error

    def _hear(self) -> tuple[Any, list[bytes]]:
        """The next message that is more than a sign of life."""
        while True:
            said, parts = self._patience.wait(self._worker)
            if isinstance(said, Refusal):
                self.is_done = True
                raise MediaError(str(self._path), said.reason)
            if not isinstance(said, Alive):
                return said, parts

    def _view(self, said: object, parts: list[bytes]) -> View:
        if not isinstance(said, WholePicture):
            raise WireError("a message comes out of turn")
        if max(said.width, said.height) > self._decoder.pixels.size or self._left < 0:
            raise WireError("frames of the wrong size or number")
        pixels = np.frombuffer(parts[0], np.uint8).reshape(said.height, said.width, 3)
        return View(said.time, pixels)

    def _frame(self, said: object, parts: list[bytes]) -> Frame:
        size = self._decoder.pixels.size
        if not isinstance(said, Picture):
            raise WireError("a message comes out of turn")
        if len(parts[0]) != 3 * size * size or self._left < 0:
            raise WireError("frames of the wrong size or number")
        square = np.frombuffer(bytearray(parts[0]), np.uint8).reshape(3, size, size)
        return Frame(said.time, square, parts[1], said.width, said.height)

    def _broken(self, error: Exception) -> MediaError:
        """End a worker that died, is late or sends nonsense, and name the file."""
        self._give_up()
        return MediaError(str(self._path), f"decoding failed: {error}")

    def _give_up(self) -> None:
        self.is_done = True
        self._decoder.close()


def sandbox() -> dict[str, bool]:
    """What the decoding process gives up on this system, measure by measure."""
    with Decoder(Pixels(size=8)) as decoder:
        try:
            return decoder.worker().sandbox
        except WireError as error:
            raise MediaError("no file", f"the decoder does not start: {error}") from error


def _size(path: Path) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0
