"""One question about one file, and what the worker answers to it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Generic, Protocol, Self, TypeVar

from reeltune.errors import MediaError
from reeltune.media._answers import Alive, End, Refusal
from reeltune.media._process import Patience, WorkerProcess
from reeltune.media._wire import WireError
from reeltune.media.limits import Limits, minutes

Given = TypeVar("Given")
Message = TypeVar("Message")


class Owner(Protocol):
    """Whoever owns the worker: a decoder."""

    limits: Limits

    def worker(self) -> WorkerProcess: ...

    def close(self) -> None: ...


class Exchange(Generic[Given]):
    """Iterates over what comes of a file; leave the context to stop early.

    Afterwards `note` says what was wrong with the file, if anything.
    """

    def __init__(self, owner: Owner, path: Path, request: dict[str, Any]) -> None:
        self.note = ""
        self.until = 0.0
        self.is_done = False
        self._owner, self._path, self._request = owner, path, request
        self._patience = Patience(owner.limits)

    def __enter__(self) -> Self:
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
                return self._take(said, parts)
        except WireError as error:
            raise self._broken(error) from error
        self.note, self.until, self.is_done = said.note, said.until, True
        raise StopIteration

    def begin(self) -> None:
        """Ask the worker; raises MediaError if nothing of the file can be read."""
        try:
            self._worker = self._owner.worker()
            self._ask()
            self._open()
        except (WireError, OSError) as error:
            raise self._broken(error) from error

    def _open(self) -> None:
        """Take what the worker says first, by `_first`."""
        raise NotImplementedError

    def _take(self, said: object, parts: list[bytes]) -> Given:
        """One message of those that follow; raises WireError for one that none expects."""
        raise NotImplementedError

    def _first(self, kind: type[Message]) -> Message:
        """The first message, which has a length that more time is granted for."""
        said, _ = self._hear()
        if not isinstance(said, kind):
            raise WireError("a message comes out of turn")
        self._patience.grant(minutes(said.duration, _size(self._path)))  # type: ignore[attr-defined]
        return said

    def _ask(self) -> None:
        """Hand the file to the worker; raises MediaError if it cannot be opened."""
        try:
            self._worker.ask(os.path.abspath(self._path), self._request)
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

    def _broken(self, error: Exception) -> MediaError:
        """End a worker that died, is late or sends nonsense, and name the file."""
        self._give_up()
        return MediaError(str(self._path), f"decoding failed: {error}")

    def _give_up(self) -> None:
        self.is_done = True
        self._owner.close()


def _size(path: Path) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0
