"""A small object of lines beside a library's table in an object store, to which a line is added by
writing it whole, on the condition that nobody else did so in between."""

import time

from reeltune.errors import LibraryError, in_short
from reeltune.search.store.line_file import MOST, PATIENCE, require_room
from reeltune.storage.object_path import ObjectPath

PAUSE = 0.05  # s until the next attempt


def read_lines(path: ObjectPath) -> list[bytes]:
    """The lines of an object, without their ends; none where there is no object.

    Raises LibraryError for an object that is too large, and StoreError as the store has it.
    """
    try:
        *lines, _ = path.read(2 * MOST)[0].split(b"\n")
    except FileNotFoundError:
        return []
    except ValueError as error:
        raise LibraryError(
            f"{path} cannot be read ({in_short(error)}); see to the object, or move it away"
        ) from error
    return lines


def append_line(path: ObjectPath, line: bytes) -> None:
    """Add a line, which has no line break.

    Raises LibraryError where there is no room for it, or where others write for too long, and
    StoreError as the store has it; the object then is as it was.
    """
    end = time.monotonic() + PATIENCE
    while not _is_added(path, line):
        if time.monotonic() > end:
            raise LibraryError(
                f"{path} is being written by another process for {PATIENCE:g} s; wait until it ends"
            )
        time.sleep(PAUSE)


def _is_added(path: ObjectPath, line: bytes) -> bool:
    """Whether a line was added, or somebody else was quicker."""
    try:
        before, state = path.read(2 * MOST)
    except FileNotFoundError:
        return path.write(line + b"\n", "create") is not None
    require_room(path, len(before), line)
    return path.write(before + line + b"\n", state) is not None
