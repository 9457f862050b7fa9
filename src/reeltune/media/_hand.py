"""How the parent hands an open file to its worker, which can open none itself.

A descriptor travels over a socket of its own, ahead of the request that is about it. Windows has no
way for that, so there the request has the path, and the worker opens the file.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from reeltune.media._wire import ClosedError

CAN_HAND = hasattr(socket, "send_fds")
# Opening does not wait, as it would for the other end of a pipe.
OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class Hand:
    """The parent's end."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()

    @property
    def for_worker(self) -> list[int]:
        """Descriptors that the worker inherits; the first is what it calls `Taker` with."""
        return [self._theirs.fileno()] if CAN_HAND else []

    def inherited(self) -> None:
        """Close the worker's end here, once the worker has it."""
        self._theirs.close()

    def give(self, path: str) -> dict[str, str]:
        """Open a file and hand it over; returns what the request says of it besides.

        Errors: `OSError` for a file that cannot be opened, `ClosedError` for a worker that is gone.
        """
        if not CAN_HAND:
            return {"path": path}
        descriptor = os.open(path, OPEN_FLAGS)
        try:
            socket.send_fds(self._ours, [b"f"], [descriptor])
        except OSError as error:
            raise ClosedError("the other side closed the connection") from error
        finally:
            os.close(descriptor)
        return {}

    def close(self) -> None:
        """End it; nothing can be given any more."""
        self._ours.close()
        self._theirs.close()


class Taker:
    """The worker's end, made before the worker gives up its sockets."""

    def __init__(self, inherited: list[str]) -> None:
        self._socket = socket.socket(fileno=int(inherited[0])) if inherited else None

    @contextmanager
    def take(self, request: dict[str, Any]) -> Iterator[int]:
        """The descriptor of the file that a request is about."""
        if self._socket is None:
            descriptor = os.open(request["path"], OPEN_FLAGS)
        else:
            _, (descriptor,), _, _ = socket.recv_fds(self._socket, 1, 1)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
