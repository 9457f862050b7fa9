"""Lets one process write at a time, and says who that is.

The lock is one of the operating system that dies with its owner, or, in an object store, one that
its owner renews.
"""

import json
import logging
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from reeltune.errors import LibraryError, StoreError, in_short
from reeltune.storage.atomic_file import write_atomically
from reeltune.storage.lease import HeldError, lease
from reeltune.storage.object_path import ObjectPath
from reeltune.storage.place import Place
from reeltune.storage.settings_file import read_json

OWNER = "writer.json"
MESSAGES = logging.getLogger("reeltune")


@contextmanager
def sole_writer(folder: Place) -> Iterator[None]:
    """Hold the library's writer lock; raises LibraryError at once if another process has it.

    The lock belongs to the process, so one that was killed leaves nothing to clean up; in an object
    store its lock runs out. What the system refuses meanwhile, as on a full disk, is a LibraryError
    too.
    """
    with _leased(folder) if isinstance(folder, ObjectPath) else _locked(Path(str(folder))):
        yield


@contextmanager
def _leased(folder: ObjectPath) -> Iterator[None]:
    try:
        with lease(folder / OWNER, _self()) as held:
            if held.taken_from:
                MESSAGES.warning(
                    "the lock of %s was taken over from %s, which did not renew it any more",
                    folder,
                    _named(held.taken_from),
                )
            yield
    except HeldError as error:
        raise LibraryError(
            f"{folder} is being written by {_named(error.owner)}; wait until it ends, or stop it. "
            f"Its lock was renewed {error.age:.0f} s ago: if it was killed, this command can take "
            f"the lock over in {error.left:.0f} s"
        ) from error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    owner = folder / OWNER
    lock = FileLock(folder / "writer.lock", timeout=0)
    try:
        lock.acquire()
        write_atomically(owner, json.dumps(_self()).encode())
        yield
    except Timeout as error:
        raise LibraryError(
            f"{folder} is being written by {_owner(owner)}; wait until it ends, or stop it"
        ) from error
    except StoreError:  # of another place that the command works with
        raise
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


def _owner(path: Place) -> str:
    try:
        return _named(read_json(path))
    except (OSError, ValueError):
        return "another process"


def _named(owner: Mapping[str, Any]) -> str:
    try:
        return f"process {owner['process']} on {owner['host']} since {owner['since']}"
    except (KeyError, TypeError):
        return "another process"
