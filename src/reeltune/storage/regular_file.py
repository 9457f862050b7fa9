"""Files that a stranger may have made: what is none is refused, and nothing waits for a writer."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from reeltune.storage.object_path import ObjectPath
from reeltune.storage.place import Place

PIECE = 8 << 20  # bytes of an object that are in memory at a time


@contextmanager
def opened(path: str | Path | Place) -> Iterator[BinaryIO]:
    """A regular file, or an object of a store, open for reading.

    Raises OSError for one that cannot be opened, and for what is none, such as a named pipe, which
    `open` would wait for.
    """
    if isinstance(path, ObjectPath):
        with TemporaryFile() as copied:
            copied.writelines(path.pieces(PIECE))
            copied.seek(0)
            yield copied
        return
    with open(str(path), "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        yield file


def read_bytes(path: str | Path | Place, at_most: int | None = None) -> bytes:
    """The content of a regular file; raises OSError as `opened` does, and ValueError for a longer
    one."""
    if isinstance(path, ObjectPath):
        return path.read(at_most)[0]
    with opened(path) as file:
        content = file.read() if at_most is None else file.read(at_most + 1)
    if at_most is not None and len(content) > at_most:
        raise ValueError(f"it has more than {at_most:,} bytes")
    return content


def _without_waiting(path: str, flags: int) -> int:
    """Open so that a named pipe returns at once instead of waiting for a writer."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
