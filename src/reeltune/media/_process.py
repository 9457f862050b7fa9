"""The worker process as its parent sees it: started, spoken to, watched, killed."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import IO, Any

from reeltune.media._answers import Hello, line, understand
from reeltune.media._hand import Hand
from reeltune.media._wire import ClosedError, WireError, receive_raw, send
from reeltune.media.limits import Limits

KEPT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "APPDATA")
AHEAD = 1 << 20  # bytes of frames that may wait in the pipe while the parent is busy
WORKER = ("-m", "reeltune.media._worker")
COMPLAINTS = 100  # lines of decoder messages that are logged of one worker
log = logging.getLogger(__name__)


class WorkerProcess:
    """One running worker; `sandbox` says what it gave up."""

    def __init__(self, limits: Limits) -> None:
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        self._hand = Hand()
        self._process = subprocess.Popen(
            [sys.executable, "-P", *WORKER, *map(str, self._hand.for_worker)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            pipesize=AHEAD if sys.platform == "linux" else -1,
            start_new_session=True,  # Ctrl-C reaches the parent alone, which then ends the worker
            pass_fds=self._hand.for_worker,
        )
        self._hand.inherited()
        self._limits = limits
        self._waited: float | None = None  # s without an answer, after which it was killed
        self._listener = threading.Thread(target=self._log_complaints, daemon=True)
        self._listener.start()
        try:
            self.send({"limits": asdict(limits)})
            hello, _ = self.answer(limits.silence)
            if not isinstance(hello, Hello):
                raise WireError("the first message is not a greeting")
        except BaseException:
            self.kill()
            raise
        self.sandbox = dict(hello.sandbox)

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_running(self) -> bool:
        return self._process.poll() is None

    def ask(self, path: str, request: dict[str, Any]) -> None:
        """Ask for a file; raises OSError if it cannot be opened, and WireError if the worker does
        not listen."""
        self.send(request | self._hand.give(path))

    def send(self, message: dict[str, Any]) -> None:
        """Send a message; raises WireError if the worker does not listen."""
        try:
            send(_pipe(self._process.stdin), message)
        except OSError as error:
            raise ClosedError("the other side closed the connection") from error

    def answer(self, patience: float) -> tuple[Any, list[bytes]]:
        """The next message within `patience` s; raises WireError if none arrives or it is
        malformed."""
        with self._killed_after(patience):
            try:
                return understand(*receive_raw(_pipe(self._process.stdout)))
            except ClosedError as error:
                if self._waited is not None:
                    raise WireError(f"no progress for {self._waited:.3g} s") from error
                raise WireError(self._last_words()) from error

    def interrupt(self) -> None:
        """End the worker from any thread; whoever waits for its answer gets a WireError."""
        self._process.kill()

    def kill(self) -> None:
        """End the worker at once, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        self._listener.join()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError):
                _pipe(pipe).close()
        self._hand.close()

    def _last_words(self) -> str:
        """Why it ended."""
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "the decoder closed its connection"
        if code == -getattr(signal, "SIGXCPU", 0):
            return "it took more processor time than is allowed"
        name = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        return f"the decoder crashed ({name})"

    def _log_complaints(self) -> None:
        pipe = _pipe(self._process.stderr)
        count = 0
        while text := pipe.readline(1000):
            count += 1
            if count <= COMPLAINTS:
                log.debug("decoder: %s", line(text.decode(errors="replace")))

    @contextlib.contextmanager
    def _killed_after(self, seconds: float) -> Iterator[None]:
        """Kill the worker if the block takes longer, which `_waited` then says.

        A message may arrive at the same moment; then the next one is found to be late.
        """

        def kill() -> None:
            self._waited = seconds
            self._process.kill()

        timer = threading.Timer(seconds, kill)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


class Patience:
    """How long one file may keep its reader waiting, without progress and in all."""

    def __init__(self, limits: Limits) -> None:
        self._limits, self._left = limits, limits.wall

    def grant(self, minutes: float) -> None:
        """Allow for the length of the video, once it is known."""
        self._left += self._limits.wall * minutes

    def wait(self, worker: WorkerProcess) -> tuple[Any, list[bytes]]:
        """The worker's next message; raises WireError when time is up."""
        if self._left <= 0:
            raise WireError("it takes longer than is allowed")
        start = time.monotonic()
        try:
            return worker.answer(min(self._limits.silence, max(self._left, 0.01)))
        finally:
            self._left -= time.monotonic() - start


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise ClosedError("the process has no such pipe")
    return pipe
