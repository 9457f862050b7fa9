"""Several commands as processes: the first one that fails stops the others, and so does Ctrl-C."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from tempfile import TemporaryFile
from types import FrameType
from typing import IO

GRACE = 10.0  # s that a stopped command has to save what it did; most are done in one
LOOK = 0.05  # s between two looks at what has ended
STOP = signal.SIGINT if os.name == "posix" else signal.SIGTERM
ENDINGS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


@dataclass(frozen=True)
class Ended:
    """A command that has ended by itself."""

    number: int  # of the command
    code: int  # its exit code; below 0, the signal that killed it
    said: str  # on standard error


def run_all(
    commands: Sequence[Sequence[str]],
    at_once: int,
    ended: Callable[[Ended], None],
    environment: Mapping[str, str],
) -> None:
    """Run the commands, `at_once` of them at a time, and tell `ended` of each.

    When `ended` raises, or a signal asks this process to end, no other command is started and
    those that run are told to stop; what has not stopped after `GRACE` seconds, or at a second
    signal, is killed together with its own children.
    """
    waiting = list(enumerate(commands))[::-1]
    running: list[_Running] = []
    with _Signals() as signals:
        try:
            while waiting or running:
                while waiting and len(running) < at_once:
                    number, command = waiting.pop()
                    running.append(_Running(number, command, environment))
                for one in [one for one in running if one.process.poll() is not None]:
                    running.remove(one)
                    ended(one.result())
                time.sleep(LOOK)
                signals.end_if_asked()
        finally:
            _stop(running, signals)


class _Signals:
    """Signals that ask this process to end are counted, and end it where it can stop its children.

    An exception out of a handler could come between the start of a child and our knowing of it.
    """

    def __enter__(self) -> "_Signals":
        self.came: list[int] = []
        self._before = {number: signal.signal(number, self._note) for number in ENDINGS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.came.append(number)

    def end_if_asked(self) -> None:
        if self.came[:1] == [signal.SIGINT]:
            raise KeyboardInterrupt
        if self.came:
            raise SystemExit(128 + self.came[0])


class _Running:
    """A process in a session of its own: a terminal's Ctrl-C reaches it through us alone, once."""

    def __init__(self, number: int, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.number = number
        self.errors: IO[bytes] = TemporaryFile()  # noqa: SIM115 (open as long as the process runs)
        self.process = subprocess.Popen(
            list(command),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self.errors,
            start_new_session=True,
        )

    def result(self) -> Ended:
        return Ended(self.number, self.process.returncode, _text(self.errors))

    def kill(self) -> None:
        if os.name == "posix":
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()


def _text(errors: IO[bytes]) -> str:
    with errors:
        errors.seek(0)
        return errors.read().decode(errors="replace")


def _stop(running: Sequence[_Running], signals: _Signals) -> None:
    left = [one for one in running if one.process.poll() is None]
    for one in left:
        one.process.send_signal(STOP)
    until, before = time.monotonic() + GRACE, len(signals.came)
    while any(one.process.poll() is None for one in left):
        if time.monotonic() > until or len(signals.came) > before:
            break
        time.sleep(LOOK)
    for one in left:
        if one.process.poll() is None:
            one.kill()
    for one in running:
        one.errors.close()
