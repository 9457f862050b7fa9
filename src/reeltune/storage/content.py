"""What is in a file, as a short name for it."""

import hashlib
import os
import stat

from reeltune.errors import DataError

CHUNK = 1 << 20


def content_hash(location: str) -> str:
    """BLAKE2b of a file's bytes, 32 hex digits; raises DataError if it cannot be read."""
    digest = hashlib.blake2b(digest_size=16)
    try:
        with open(location, "rb", opener=_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise DataError(f"{location} is not a regular file; give a video file")
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise DataError(f"{location} cannot be read: {error.strerror}") from error
    return digest.hexdigest()


def _without_waiting(path: str, flags: int) -> int:
    """Open so that a named pipe returns at once instead of waiting for a writer."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
