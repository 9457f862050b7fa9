"""Frames out of files that may be hostile: decoding happens in a process of its own.

The worker has no network, little memory and few rights, is killed when it falls silent, and can
send nothing back but text and bytes of expected sizes (SECURITY.md). One bad file costs a worker
at most; the next file gets a new one.
"""

import contextlib
import math
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from reeltune.data._limits import Limits
from reeltune.data._sample import Sampling
from reeltune.data._wire import WireError, receive, send
from reeltune.errors import MediaError
from reeltune.types import Pixels

THUMBNAIL_LIMIT = 1 << 18  # bytes
KEPT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "LANG")


@dataclass(frozen=True)
class MediaInfo:
    """What a file says of itself; width and height in pixels as displayed, before rotation."""

    duration: float  # s; 0 where the file does not say
    width: int
    height: int
    frame_rate: float  # 1/s, on average
    codec: str
    container: str


@dataclass(frozen=True)
class Frame:
    """One frame: the square that the model reads, and a small JPEG of the whole picture."""

    time: float  # s since the stream's beginning
    pixels: UInt8[np.ndarray, "3 S S"]
    thumbnail: bytes
    width: int  # as displayed, after rotation
    height: int


class Decoder:
    """Owns one worker process, started at the first file; use one decoder per thread."""

    def __init__(
        self, pixels: Pixels, sampling: Sampling = Sampling(), limits: Limits = Limits()
    ) -> None:
        self.pixels, self.sampling, self.limits = pixels, sampling, limits
        self.sandbox: dict[str, bool] = {}  # what the worker gave up; filled when it has started
        self._worker: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Decoder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self, path: Path) -> "Reading":
        """Start reading a video; raises MediaError if nothing of it can be read."""
        return Reading(self, path, still=False)

    def image(self, path: Path) -> Frame:
        """A picture file as a frame; raises MediaError if it cannot be read."""
        with Reading(self, path, still=True) as reading:
            return next(iter(reading))

    def close(self) -> None:
        """End the worker; a later file would start a new one."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.kill()
            for pipe in (worker.stdin, worker.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            worker.wait()

    def request(self, message: dict[str, Any]) -> None:
        """Send to the worker, starting one if there is none."""
        if self._worker is None or self._worker.poll() is not None:
            self.close()
            self._start()
        send(self._stdin, message)

    def answer(self) -> tuple[dict[str, Any], list[bytes]]:
        """The worker's next message; raises WireError if it died, fell silent or babbles."""
        worker = self._worker
        if worker is None or worker.stdout is None:
            raise WireError("the decoder was closed")
        with _silence_kills(worker, self.limits.silence) as timed_out:
            try:
                return receive(worker.stdout)
            except WireError as error:
                if timed_out.is_set():
                    said = f"no progress for {self.limits.silence:g} s"
                    raise WireError(said) from error
                raise

    def _start(self) -> None:
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        self._worker = subprocess.Popen(
            [sys.executable, "-P", "-m", "reeltune.data._worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
        send(self._stdin, {"limits": asdict(self.limits)})
        self.sandbox = {str(k): bool(v) for k, v in self.answer()[0]["sandbox"].items()}

    @property
    def _stdin(self) -> Any:
        if self._worker is None or self._worker.stdin is None:
            raise WireError("the decoder was closed")
        return self._worker.stdin


class Reading:
    """The chosen frames of one file, as they are decoded; leave the context to stop early."""

    def __init__(self, decoder: Decoder, path: Path, still: bool) -> None:
        self.note = ""  # after the last frame: what was wrong with the file, if anything
        self._decoder, self._path, self._done = decoder, path, False
        request = {
            "path": os.path.abspath(path),
            "pixels": _flat(decoder.pixels),
            "sampling": str(decoder.sampling),
            "still": still,
        }
        with self._faults_named():
            decoder.request(request)
            self._first = self._next()
            self.info = _info({} if still else self._first[0])

    def __enter__(self) -> "Reading":
        return self

    def __exit__(self, *_: object) -> None:
        if not self._done:
            self._decoder.close()  # the worker is in the middle of a file nobody wants

    def __iter__(self) -> Iterator[Frame]:
        header, parts = self._first
        while header.get("kind") != "end":
            if header.get("kind") == "frame":
                with self._faults_named():
                    frame = self._frame(header, parts)
                yield frame
            with self._faults_named():
                header, parts = self._next()
        self.note, self._done = _line(header.get("note", "")), True

    def _next(self) -> tuple[dict[str, Any], list[bytes]]:
        header, parts = self._decoder.answer()
        if header.get("kind") == "refused":
            self._done = True
            raise MediaError(str(self._path), _line(header.get("reason", "")))
        return header, parts

    def _frame(self, header: dict[str, Any], parts: list[bytes]) -> Frame:
        size = self._decoder.pixels.size
        seconds, width, height = (header.get(k) for k in ("time", "width", "height"))
        sound = len(parts) == 2 and len(parts[0]) == 3 * size * size
        sound = sound and len(parts[1]) <= THUMBNAIL_LIMIT and isinstance(seconds, int | float)
        if not sound or not math.isfinite(seconds or 0):
            raise WireError("a frame is malformed")
        pixels = np.frombuffer(bytearray(parts[0]), np.uint8).reshape(3, size, size)
        return Frame(float(seconds or 0), pixels, parts[1], int(width or 0), int(height or 0))

    @contextlib.contextmanager
    def _faults_named(self) -> Iterator[None]:
        """A worker that died or babbles becomes a MediaError about this file."""
        try:
            yield
        except (WireError, OSError, ValueError, TypeError, KeyError) as error:
            worker = self._decoder._worker
            code = worker.wait(timeout=10) if worker and "closed" in str(error) else None
            self._decoder.close()
            self._done = True
            said = f"the decoder crashed (exit {code})" if code else f"decoding failed ({error})"
            raise MediaError(str(self._path), said) from error


def sandbox() -> dict[str, bool]:
    """What the decoding process gives up on this system, measure by measure."""
    with Decoder(Pixels(size=8)) as decoder:
        decoder._start()
        return decoder.sandbox


def _flat(pixels: Pixels) -> dict[str, Any]:
    return asdict(pixels)


def _info(header: dict[str, Any]) -> MediaInfo:
    number = {k: float(header.get(k) or 0) for k in ("duration", "width", "height", "frame_rate")}
    return MediaInfo(
        duration=number["duration"] if math.isfinite(number["duration"]) else 0.0,
        width=int(number["width"]),
        height=int(number["height"]),
        frame_rate=number["frame_rate"],
        codec=_line(header.get("codec", "")),
        container=_line(header.get("container", "")),
    )


def _line(text: object) -> str:
    """Text of the worker, made harmless: one printable line of bounded length."""
    flat = " ".join(str(text).split())[:300]
    return "".join(c for c in flat if c.isprintable())


@contextlib.contextmanager
def _silence_kills(worker: "subprocess.Popen[bytes]", seconds: float) -> Iterator[threading.Event]:
    """Kill the worker if the block takes longer than `seconds`; the event says that it did."""
    timed_out = threading.Event()

    def kill() -> None:
        timed_out.set()
        worker.kill()

    timer = threading.Timer(seconds, kill)
    timer.daemon = True
    timer.start()
    try:
        yield timed_out
    finally:
        timer.cancel()
