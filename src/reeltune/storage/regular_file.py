"""Files that a stranger may have made: what is none is refused, and nothing waits for a writer."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def opened(path: str | Path) -> Iterator[BinaryIO]:
    """A regular file, open for reading.

    Raises OSError for one that cannot be opened, and for what is none, such as a named pipe, which
    `open` would wait for.
    """
    with open(path, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        yield file


def read_bytes(path: str | Path, at_most: int | None = None) -> bytes:
    """The content of a regular file; raises OSError as `opened` does, and ValueError for a longer
    one."""
    with opened(path) as file:
        content = file.read() if at_most is None else file.read(at_most + 1)
    if at_most is not None and len(content) > at_most:
        raise ValueError(f"it has more than {at_most:,} bytes")
    return content


def _without_waiting(path: str, flags: int) -> int:
    """Open so that a named pipe returns at once instead of waiting for a writer."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
