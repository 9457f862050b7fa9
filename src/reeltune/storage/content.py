"""Short names for the content of files."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import BinaryIO

from reeltune.errors import MediaError, in_short
from reeltune.storage.place import Place
from reeltune.storage.regular_file import opened

CHUNK = 1 << 20


def content_hash(location: str | Place, told: Callable[[int], None] | None = None) -> str:
    """BLAKE2b of a file's bytes, 32 hex digits; raises MediaError if it cannot be read.

    `told` is told how many bytes were read, again and again; it stops the reading by raising.
    """
    digest = hashlib.blake2b(digest_size=16)
    with reading(location) as file:
        done = 0
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            done += len(chunk)
            if told is not None:
                told(done)
    return digest.hexdigest()


@contextmanager
def reading(location: str | Place) -> Iterator[BinaryIO]:
    """A regular file, opened without waiting; raises MediaError if it is none or cannot be read."""
    try:
        with opened(location) as file:
            yield file
    except OSError as error:
        raise MediaError(str(location), f"cannot be read: {in_short(error)}") from error


def known_hash(path: Path) -> str:
    """`content_hash` of a file, which is read only once in a process unless it changes."""
    try:
        status = path.stat()
    except OSError as error:
        raise MediaError(str(path), f"cannot be read: {error.strerror}") from error
    return _hash_of(str(path), status.st_size, status.st_mtime_ns)


@cache
def _hash_of(location: str, size: int, changed: int) -> str:
    """The hash; size and time of change are only part of the key, so that another version is
    read anew."""
    return content_hash(location)
