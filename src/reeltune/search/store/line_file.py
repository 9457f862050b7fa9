"""A small file of lines beside a library's table: appended to, a line at a time, and never
rewritten.

A line that was written is on disk when the call returns. A process that is killed in between, or a
disk that is full, leaves at most half a line, which no reader takes and the next writer cuts off.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from reeltune.errors import LibraryError, in_short
from reeltune.storage.regular_file import read_bytes

MOST = 64 << 20  # bytes of a file
PATIENCE = 10.0  # s that a writer waits for another, which takes milliseconds
_OPEN = os.O_RDWR | os.O_CREAT | os.O_APPEND
_WARY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # a pipe would be waited for


def read_lines(path: Path) -> list[bytes]:
    """The whole lines of a file, without their ends; none where there is no file.

    Raises LibraryError for a file that cannot be read.
    """
    try:
        *lines, _ = read_bytes(path, 2 * MOST).split(b"\n")
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise LibraryError(
            f"{path} cannot be read ({in_short(error)}); see to the file, or move it away"
        ) from error
    return lines


def append_line(path: Path, line: bytes) -> None:
    """Add a line, which has no line break, and wait until the disk has it.

    One process or thread writes at a time, and others wait for it. Raises LibraryError where it
    cannot be written, and the file then is as it was.
    """
    try:
        with FileLock(path.with_suffix(".lock"), timeout=PATIENCE), _opened(path) as file:
            size = _cut(file, os.fstat(file).st_size)
            require_room(path, size, line)
            _write(file, size, line + b"\n")
            if size == 0:
                _sync_folder(path.parent)
    except Timeout as error:
        raise LibraryError(
            f"{path} is being written by another process for {PATIENCE:g} s; wait until it ends"
        ) from error
    except OSError as error:
        raise LibraryError(
            f"{path} cannot be written ({in_short(error)}); what is in it is sound: see to the "
            "disk, and try again"
        ) from error


def require_room(path: object, size: int, line: bytes) -> None:
    """Raise LibraryError where what has so many bytes takes no further line."""
    if size + len(line) + 1 > MOST:
        raise LibraryError(
            f"{path} has {size:,} bytes, and at most {MOST:,} are kept; move it away to begin "
            "another"
        )


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    file = os.open(path, _OPEN | _WARY, 0o666)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError("it is not a regular file")
        yield file
    finally:
        os.close(file)


def _cut(file: int, size: int) -> int:
    """Cut half a line off the end of a file, as a kill left it; returns the size of the rest."""
    end = size
    while end > 0:
        begin = max(0, end - (1 << 16))
        found = os.pread(file, end - begin, begin).rfind(b"\n")
        if found >= 0:
            end = begin + found + 1
            break
        end = begin
    if end < size:
        os.ftruncate(file, end)
    return end


def _write(file: int, size: int, data: bytes) -> None:
    """Write all of the data, or leave the file with the size that it had."""
    try:
        left = data
        while left:
            left = left[os.write(file, left) :]
        os.fsync(file)
    except BaseException:
        with suppress(OSError):
            os.ftruncate(file, size)
        raise


def _sync_folder(folder: Path) -> None:
    """Have the disk know the name of a new file; some systems cannot."""
    with suppress(OSError):
        place = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(place)
        finally:
            os.close(place)
