"""Short names for the content of files."""

import hashlib
import os
import stat
from functools import cache
from pathlib import Path

from reeltune.errors import MediaError

CHUNK = 1 << 20


def content_hash(location: str) -> str:
    """BLAKE2b of a file's bytes, 32 hex digits; raises MediaError if it cannot be read."""
    digest = hashlib.blake2b(digest_size=16)
    try:
        with open(location, "rb", opener=_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise MediaError(location, "is not a regular file; give a video file")
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise MediaError(location, f"cannot be read: {error.strerror}") from error
    return digest.hexdigest()


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


def _without_waiting(path: str, flags: int) -> int:
    """Open so that a named pipe returns at once instead of waiting for a writer."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
