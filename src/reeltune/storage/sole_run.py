"""The folder of a run, into which one process at a time writes."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from reeltune.errors import ConfigError
from reeltune.storage.atomic_file import HALF

LOCK = ".running.lock"


@contextmanager
def sole_run(out: Path) -> Iterator[None]:
    """Hold the lock of a run's folder, and remove what writes that were killed left in it.

    The lock is the system's, and ends with its process. Errors: `ConfigError` where another process
    has it.
    """
    is_new = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / LOCK, timeout=0)
    try:
        with suppress(NotImplementedError):  # of a file system without locks
            lock.acquire()
    except Timeout:
        raise ConfigError(
            f"another process is writing its run to {out}; wait until it ends, stop it, or give "
            "another folder with --out"
        ) from None
    try:
        for path in [path for path in out.iterdir() if HALF.fullmatch(path.name)]:
            path.unlink(missing_ok=True)
        yield
    finally:
        with suppress(OSError):  # Windows does not remove what is open
            (out / LOCK).unlink()
        lock.release()
        if is_new:
            with suppress(OSError):  # unless there is something in it
                out.rmdir()
