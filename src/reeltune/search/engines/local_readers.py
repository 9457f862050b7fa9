"""Turns files into frames in the background: one thread judges files, others decode the new ones.

A file whose place is stored as that of another content waits until all files are judged, because
that content may be found at another place.
Each decoding thread owns one sandboxed decoder process. Queues are short, so memory stays flat
and decoding runs just ahead of the encoder.
"""

import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reeltune.errors import MediaError
from reeltune.media.decoder import Decoder, Frame, MediaInfo
from reeltune.media.files import Candidate
from reeltune.media.first_bytes import require_container
from reeltune.media.progress import Progress
from reeltune.search._known import Judged, Known, Stored, Verdict
from reeltune.search.report import reason_of
from reeltune.search.store.schema import VideoFile, kept_time
from reeltune.storage.content import content_hash

CHUNK = 16  # frames handed over at a time
AHEAD = 8  # chunks that may wait for the encoder


@dataclass(frozen=True)
class Settled:
    """A file that needs no decoding."""

    judged: Judged


@dataclass(frozen=True)
class AllJudged:
    """Every file is judged: some contents are at no place any more, and others have a file that
    was stored with another content."""

    displaced: list[str]
    placed: dict[str, Candidate]


@dataclass(frozen=True)
class Opened:
    """Frames of this file follow."""

    file: VideoFile
    info: MediaInfo


@dataclass(frozen=True)
class Frames:
    """Some frames of an opened file, in order."""

    file: VideoFile
    frames: list[Frame]


@dataclass(frozen=True)
class Ended:
    """All frames of the file have been handed over."""

    file: VideoFile
    note: str


@dataclass(frozen=True)
class Broken:
    """Nothing, or nothing more, can be read from this file."""

    candidate: Candidate
    reason: str


@dataclass(frozen=True)
class Growing:
    """The file changed while it was read, so it is left for the next run."""

    candidate: Candidate


Event = Growing | Settled | AllJudged | Opened | Frames | Ended | Broken


class Readers:
    """Iterate over the events of all `files`; leave the context to stop early."""

    def __init__(
        self,
        files: Sequence[Candidate],
        known: Known,
        decoder: Callable[[], Decoder],
        threads: int,
        progress: Progress,
    ) -> None:
        self._files, self._known, self._decoder = files, known, decoder
        self._progress = progress
        self._decoders: list[Decoder] = []  # those in use
        self._work: queue.Queue[Judged | None] = queue.Queue(maxsize=threads)
        self._events: queue.Queue[Event | BaseException | None] = queue.Queue(maxsize=AHEAD)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(self._judge,), daemon=True)]
        for _ in range(threads):
            self._threads.append(
                threading.Thread(target=self._run, args=(self._decode,), daemon=True)
            )

    def __enter__(self) -> "Readers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            while thread.is_alive():
                for decoder in self._decoders:  # again and again, as one may have just begun a file
                    decoder.interrupt()
                thread.join(0.05)

    def __iter__(self) -> Iterator[Event]:
        running = len(self._threads)
        while running:
            event = self._events.get()
            if event is None:
                running -= 1
            elif isinstance(event, BaseException):
                raise event
            else:
                yield event

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
            self._put(self._events, None)
        except _StoppedError:
            pass
        except BaseException as error:  # handed to the consumer, which raises it
            self._put_quietly(error)

    def _judge(self) -> None:
        waiting = []
        for candidate in self._files:
            try:
                judged = self._known.judge(candidate, self._content)
            except Exception as error:  # whatever it is, it costs this file alone
                self._fail(candidate, error)
                continue
            if judged.contested:
                waiting.append(judged)
            else:
                self._pass_on(judged)
        moved = (Verdict.MOVED, Verdict.UNCHANGED)
        placed = {one.video: one.file for one in waiting if one.verdict in moved}
        self._put(self._events, AllJudged(self._known.displaced(self._content), placed))
        for judged in waiting:
            self._pass_on(judged)
        for _ in self._threads[1:]:
            self._put(self._work, None)

    def _pass_on(self, judged: Judged) -> None:
        if judged.verdict is Verdict.NEW:
            self._put(self._work, judged)
        else:
            self._put(self._events, Settled(judged))

    def _content(self, file: Candidate) -> str:
        """The hash of a file that begins as a video, found unless the run is stopped before."""
        require_container(file.location)

        def told(done: int) -> None:
            if self._stop.is_set():
                raise _StoppedError
            if done > file.size:
                raise MediaError(file.location, "is still being written")
            self._progress.recognise(file.path, done, file.size)

        content = content_hash(file.location, told)
        if has_changed(file):
            raise MediaError(file.location, "is still being written")
        return content

    def _decode(self) -> None:
        with self._decoder() as decoder:
            self._decoders.append(decoder)
            while (judged := self._get()) is not None:
                try:
                    self._read(decoder, judged)
                except Exception as error:  # whatever it is, it costs this file alone
                    self._fail(judged.file, error)

    def _fail(self, file: Candidate, error: Exception) -> None:
        self._put(
            self._events, Growing(file) if has_changed(file) else Broken(file, reason_of(error))
        )

    def _read(self, decoder: Decoder, judged: Judged) -> None:
        candidate = judged.file
        file = VideoFile(
            path=candidate.path,
            location=candidate.location,
            size=candidate.size,
            modified_ns=candidate.modified_ns,
            video=judged.video,
        )
        with decoder.open(Path(file.location)) as reading:
            self._put(self._events, Opened(file, reading.info))
            chunk: list[Frame] = []
            for frame in reading:
                chunk.append(frame)
                if len(chunk) == CHUNK:
                    self._put(self._events, Frames(file, chunk))
                    chunk = []
            self._put(self._events, Frames(file, chunk))
            if has_changed(candidate):
                raise MediaError(file.location, "is still being written")
            note = "; ".join(filter(None, [judged.note, reading.note]))
            self._put(self._events, Ended(file, note))

    def _put(self, to: "queue.Queue[Any]", item: object) -> None:
        while not self._stop.is_set():
            try:
                return to.put(item, timeout=0.1)
            except queue.Full:
                continue
        raise _StoppedError

    def _put_quietly(self, error: BaseException) -> None:
        with suppress(_StoppedError):
            self._put(self._events, error)

    def _get(self) -> Judged | None:
        while not self._stop.is_set():
            try:
                return self._work.get(timeout=0.1)
            except queue.Empty:
                continue
        raise _StoppedError


def has_changed(file: Candidate | Stored) -> bool:
    """Whether a file is there and not as it was when its folder was listed, as one that is still
    being written."""
    try:
        status = os.stat(file.location)
    except OSError:
        return False
    now = status.st_size, kept_time(status.st_mtime_ns)
    return now != (file.size, kept_time(file.modified_ns))


class _StoppedError(BaseException):
    """The consumer left; the thread should end."""
