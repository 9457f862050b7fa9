"""Turns files into frames in the background: one thread judges files, others decode the new ones.

A file whose place is stored as that of another content waits until all files are judged, because
that content may be found at another place.
Each decoding thread owns one worker: a sandboxed decoder process, or an actor of a cluster (see
`ray.py`). Queues are short, so memory stays flat and decoding runs just ahead of the encoder. An
object of a store is fetched to the disk when it is judged, and is there until it is decoded: at
most two for each thread, and the one that is judged.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from reeltune.errors import MediaError
from reeltune.media.decoder import Decoder, Frame, MediaInfo
from reeltune.media.files import Candidate
from reeltune.media.first_bytes import require_container
from reeltune.media.progress import Progress
from reeltune.search._known import Judged, Known, Stored, Verdict
from reeltune.search._places import status_of
from reeltune.search.engines._copies import Copies
from reeltune.search.report import Failed, reason_of
from reeltune.search.store.schema import Moments, VideoFile, kept_time
from reeltune.storage.content import content_hash
from reeltune.storage.fetched import on_disk

CHUNK = 16  # frames handed over at a time
AHEAD = 8  # chunks that may wait for the encoder
LOOK = 0.05  # s between looks at whether another worker is needed
ATTEMPTS = 3  # at a file, each of which its worker did not survive


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
class FirstNew:
    """A file is new; its frames follow once the consumer asks for the next event."""


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


@dataclass(frozen=True)
class Made:
    """The file was read and encoded elsewhere: its moments, or why it has none."""

    candidate: Candidate
    outcome: Moments | Failed


Event = Growing | Settled | AllJudged | FirstNew | Opened | Frames | Ended | Broken | Made


class Worker(Protocol):
    """Reads files, one at a time, for one thread."""

    worth: float  # s that a file waits before a further worker is worth its start

    def open(self) -> None:
        """Be ready to read, again after a `LostWorkerError`; raises what ends the run."""

    def read(self, judged: Judged, copy: Path | None) -> Iterator[Event]:
        """Events of one file, of which there may be a copy on this disk; an error costs the file
        alone."""
        ...

    def interrupt(self) -> None:
        """Have `read` end soon; any thread may ask for it, again and again."""

    def close(self) -> None:
        """Let go of what it holds."""


class LocalWorker:
    """Reads with a decoder of its own, which is made when there is a file to read."""

    worth = 0.3

    def __init__(self, make: Callable[[], Decoder]) -> None:
        self._make = make
        self._decoder: Decoder | None = None

    def open(self) -> None:
        """Have a decoder; raises what making it raises."""
        self._opened()

    def _opened(self) -> Decoder:
        if self._decoder is None:
            self._decoder = self._make()
        return self._decoder

    def read(self, judged: Judged, copy: Path | None = None) -> Iterator[Event]:
        """The frames of a file."""
        candidate = judged.file
        file = VideoFile(
            path=candidate.path,
            location=candidate.location,
            size=candidate.size,
            modified_ns=candidate.modified_ns,
            video=judged.video,
        )
        with (
            nullcontext(copy) if copy else on_disk(file.location) as path,
            self._opened().open(path) as reading,
        ):
            yield Opened(file, reading.info)
            chunk: list[Frame] = []
            for frame in reading:
                chunk.append(frame)
                if len(chunk) == CHUNK:
                    yield Frames(file, chunk)
                    chunk = []
            yield Frames(file, chunk)
            if has_changed(candidate):
                raise MediaError(file.location, "is still being written")
            yield Ended(file, "; ".join(filter(None, [judged.note, reading.note])))

    def interrupt(self) -> None:
        """End the file that is being read."""
        if self._decoder is not None:
            self._decoder.interrupt()

    def close(self) -> None:
        """End the decoder."""
        if self._decoder is not None:
            self._decoder.close()


class Readers:
    """Iterate over the events of all `files`; leave the context to stop early."""

    def __init__(
        self,
        files: Sequence[Candidate],
        known: Known,
        worker: Callable[[], Worker],
        threads: int,
        progress: Progress,
    ) -> None:
        self._files, self._known, self._worker = files, known, worker
        self._progress = progress
        self._copies = Copies()
        self._has_new = False  # of the thread that judges
        self._workers: list[Worker] = []  # those in use
        self._work: queue.Queue[Judged | None] = queue.Queue(maxsize=threads)
        self._events: queue.Queue[Event | BaseException | None] = queue.Queue(maxsize=AHEAD)
        self._stop = threading.Event()
        self._is_ready = threading.Event()  # set when the consumer has taken `FirstNew`
        self._is_open = threading.Event()  # set when the first worker can read
        work = [self._judge, *(partial(self._decode, number > 0) for number in range(threads))]
        self._threads = [
            threading.Thread(target=self._run, args=(one,), daemon=True) for one in work
        ]

    def __enter__(self) -> "Readers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            while thread.is_alive():
                for worker in self._workers:  # again and again, as one may have just begun a file
                    worker.interrupt()
                thread.join(0.05)
        self._copies.close()

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
                if isinstance(event, FirstNew):
                    self._is_ready.set()

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
            self._put(self._events, None)
        except StoppedError:
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
                self._copies.drop(judged.file.location)
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
            if not self._has_new:
                self._has_new = True
                self._put(self._events, FirstNew())
            self._put(self._work, judged)
        else:
            self._copies.drop(judged.file.location)
            self._put(self._events, Settled(judged))

    def _content(self, file: Candidate) -> str:
        """The hash of a file that begins as a video, found unless the run is stopped before."""

        def told(done: int) -> None:
            if self._stop.is_set():
                raise StoppedError
            if done > file.size:
                raise MediaError(file.location, "is still being written")
            self._progress.recognise(file.path, done, file.size)

        path = str(self._copies.fetched(file.location, told))
        require_container(path)
        content = content_hash(path, told)
        if has_changed(file):
            raise MediaError(file.location, "is still being written")
        return content

    def _decode(self, is_further: bool) -> None:
        worker = self._worker()
        self._workers.append(worker)
        try:
            if is_further and worker.worth:
                self._wait_for_need(worker.worth)
            while (judged := self._get()) is not None:
                while not self._is_ready.wait(0.1):
                    if self._stop.is_set():
                        raise StoppedError
                with self._copies.taken(judged.file.location) as copy:
                    self._read(worker, judged, copy)
        finally:
            worker.close()

    def _wait_for_need(self, worth: float) -> None:
        """Return when files have waited for so many s while the first worker could read, or when
        no file will come."""
        since = time.monotonic()
        while not self._stop.is_set():
            with self._work.mutex:
                waiting = list(self._work.queue)
            if waiting[:1] == [None]:
                return
            if not waiting or not self._is_open.is_set():
                since = time.monotonic()
            elif time.monotonic() - since >= worth:
                return
            self._stop.wait(LOOK)

    def _read(self, worker: Worker, judged: Judged, copy: Path | None) -> None:
        for _ in range(ATTEMPTS):
            worker.open()
            self._is_open.set()
            try:
                for event in worker.read(judged, copy):
                    self._put(self._events, event)
                return
            except LostWorkerError:
                continue
            except Exception as error:  # whatever it is, it costs this file alone
                self._fail(judged.file, error)
                return
        reason = f"ended the process that read it, {ATTEMPTS} times"
        self._put(self._events, Broken(judged.file, reason))

    def _fail(self, file: Candidate, error: Exception) -> None:
        self._put(self._events, failed(file, error))

    def _put(self, to: "queue.Queue[Any]", item: object) -> None:
        while not self._stop.is_set():
            try:
                return to.put(item, timeout=0.1)
            except queue.Full:
                continue
        raise StoppedError

    def _put_quietly(self, error: BaseException) -> None:
        with suppress(StoppedError):
            self._put(self._events, error)

    def _get(self) -> Judged | None:
        while not self._stop.is_set():
            try:
                return self._work.get(timeout=0.1)
            except queue.Empty:
                continue
        raise StoppedError


def failed(file: Candidate, error: Exception) -> Growing | Broken:
    """What is said of a file that could not be read."""
    return Growing(file) if has_changed(file) else Broken(file, reason_of(error))


def has_changed(file: Candidate | Stored) -> bool:
    """Whether a file is there and not as it was when its folder was listed, as one that is still
    being written."""
    try:
        status = status_of(file.location)
    except OSError:
        return False
    now = status.st_size, kept_time(status.st_mtime_ns)
    return now != (file.size, kept_time(file.modified_ns))


class LostWorkerError(Exception):
    """A worker ended without an answer, as its process or its machine did."""


class StoppedError(BaseException):
    """The consumer left; the thread should end."""
