"""The log of a library: what each run set out to do, what became of each file, how it ended.

It lies in the library's folder, and no library depends on it. A run without an end was killed.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

from reeltune.errors import LibraryError, ReeltuneError, counted
from reeltune.search.report import Report
from reeltune.storage.atomic_file import write_atomically
from reeltune.storage.object_path import ObjectPath
from reeltune.storage.place import Place

LOG_NAME = "log.txt"
SIZE, KEPT = 1 << 20, 3  # bytes of a file, and how many full ones are kept beside it
FORMAT = logging.Formatter("%(asctime)s %(message)s")
MESSAGES = logging.getLogger("reeltune")  # of decoders too, where `--verbose` lets them through


@contextmanager
def logged(folder: Place, paths: Sequence[str], report: Report) -> Iterator[None]:
    """Write the beginning of a run, what its report says when it ends, and why it failed."""
    path = folder / LOG_NAME
    log = _Object(path) if isinstance(path, ObjectPath) else _File(Path(str(path)))
    MESSAGES.addHandler(log)
    try:
        log.say(f"index {', '.join(map(repr, paths))}")
        yield
    except ReeltuneError as error:
        log.say(f"ended by an error: {error}")
        raise
    else:
        for said in _sentences(report):
            log.say(said)
    finally:
        MESSAGES.removeHandler(log)
        log.close()


def _sentences(report: Report) -> Iterator[str]:
    for done in report.indexed:
        note = f"; {done.note}" if done.note else ""
        moments = counted(done.moments, "moment")
        yield f"indexed {done.path!r}: {moments} of {done.seconds:.1f} s{note}"
    for verb in ("moved", "copies", "removed"):
        for path in getattr(report, verb):
            yield f"{verb} {path!r}"
    for verb in ("heard", "read"):
        for told in getattr(report, verb):
            note = f"; {told.note}" if told.note else ""
            yield f"{verb} {told.path!r}: {counted(told.phrases, 'phrase')}{note}"
    for failed in report.troubles:
        yield f"failed {failed.path!r}: {failed.reason}"
    counts = f"{len(report.indexed)} indexed, {len(report.unchanged)} unchanged"
    yield f"{'stopped' if report.interrupted else 'done'}: {counts}, {len(report.failed)} failed"


class _Log(logging.Handler):
    """Lines that cost no run when they cannot be written, as on a full disk."""

    def say(self, said: str) -> None:
        """Write one line, whatever levels are let through."""
        record = MESSAGES.makeRecord(MESSAGES.name, logging.INFO, "", 0, "%s", (said,), None)
        self.handle(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Go on without the line."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, in which nothing acts on a terminal."""
        text = super().format(record)
        return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class _Object(_Log):
    """The log as an object of a store, which is written when a run begins and when it ends."""

    def __init__(self, path: ObjectPath) -> None:
        super().__init__()
        self._path, self._lines, self._has_begun = path, b"", False
        self.setFormatter(FORMAT)
        with suppress(OSError):
            self._lines, _ = path.read()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line; the first one, which tells of a run that is killed, is written at once."""
        self._lines += f"{self.format(record)}\n".encode(errors="backslashreplace")
        if not self._has_begun:
            self._has_begun = True
            self._write()

    def close(self) -> None:
        """Write what was kept."""
        self._write()
        super().close()

    def _write(self) -> None:
        with suppress(OSError, LibraryError):
            write_atomically(self._path, self._lines[-SIZE:])


class _File(_Log, RotatingFileHandler):
    """The log as a file."""

    def __init__(self, path: Path) -> None:
        is_other = os.path.lexists(path) and not path.is_file()  # a named pipe would be waited for
        super().__init__(
            os.devnull if is_other else path,
            maxBytes=SIZE,
            backupCount=KEPT,
            encoding="utf-8",
            delay=True,
            errors="backslashreplace",
        )
        self.setFormatter(FORMAT)

    def close(self) -> None:
        """Close the file, if it was opened."""
        with suppress(OSError):
            super().close()
