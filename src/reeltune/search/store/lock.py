"""Lets one process write at a time, by an operating-system lock that dies with its owner, and
says who that is."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from reeltune.errors import LibraryError, in_short
from reeltune.storage.atomic_file import write_atomically
from reeltune.storage.settings_file import read_json


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Hold the library's writer lock; raises LibraryError at once if another process has it.

    The lock belongs to the process, so one that was killed leaves nothing to clean up. What the
    system refuses meanwhile, as on a full disk, is a LibraryError too.
    """
    owner = folder / "writer.json"
    lock = FileLock(folder / "writer.lock", timeout=0)
    try:
        lock.acquire()
        write_atomically(owner, json.dumps(_self()).encode())
        yield
    except Timeout as error:
        raise LibraryError(
            f"{folder} is being written by {_owner(owner)}; wait until it ends, or stop it"
        ) from error
    except OSError as error:
        raise LibraryError(
            f"{error.filename or folder} cannot be read or written "
            f"({in_short(error)}); what is stored is sound: see to the disk, and run the command "
            "again"
        ) from error
    finally:
        if lock.is_locked:
            with suppress(OSError):
                owner.unlink()
            lock.release()


def _self() -> dict[str, object]:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return {"process": os.getpid(), "host": socket.gethostname(), "since": since}


def _owner(path: Path) -> str:
    try:
        found = read_json(path)
        return f"process {found['process']} on {found['host']} since {found['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
