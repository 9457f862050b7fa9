"""Every error a user of Reeltune can meet.

ReeltuneError
├── ConfigError       a setting, recipe or option is wrong
├── DataError         a video, image, caption file or dataset is wrong
│   ├── MediaError    a video or image cannot be decoded
│   └── NoSplitError  a dataset has no such split, by its files or by what was set
├── CheckpointError   a model cannot be loaded, or is not the one expected
├── RankError         another of the processes that train together has ended
└── LibraryError      a search library cannot be opened, read or written
    ├── NewerLibraryError  a newer Reeltune wrote it
    ├── StoreError  an object store refuses what is asked of it, or cannot be reached
    └── NotInLibraryError  it has no such file or moment

A message says what was got, what was wanted and what to do, in one sentence.
"""

import errno
import os
import shlex
from typing import Any


class ReeltuneError(Exception):
    """Base of all errors below; catch it to catch them all."""


class ConfigError(ReeltuneError):
    """A setting, recipe or option is wrong."""


class DataError(ReeltuneError):
    """A video, image, caption file or dataset is wrong."""


class MediaError(DataError):
    """A video or image cannot be decoded; `reason` is one line, without the path."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = path, reason


class NoSplitError(DataError):
    """A dataset has no such split, by its files or by what was set; most have one to lack: val."""


class CheckpointError(ReeltuneError):
    """A model cannot be loaded, or is not the one expected."""


class RankError(ReeltuneError):
    """Another of the processes that train together has ended."""


class LibraryError(ReeltuneError):
    """A search library cannot be opened, read or written."""


class NewerLibraryError(LibraryError):
    """A search library was written by a newer Reeltune, which alone may change it."""


class StoreError(LibraryError, OSError):
    """An object store refuses what is asked of it, or cannot be reached."""


class NotInLibraryError(LibraryError):
    """A search library has no such file or moment."""


def in_short(error: BaseException) -> str:
    """What an error says, in one line, for a message that names the file.

    Errors of the system bring the path along; here it is left out, so that it is there once. Of
    what pydantic refuses the first fault is said, with its place, such as `making.width`.
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, FileNotFoundError):  # as other libraries raise it, the path in its text
        return os.strerror(errno.ENOENT)
    if isinstance(error, ValueError) and hasattr(error, "errors"):  # pydantic's, which loads slowly
        return ": ".join(filter(None, first_fault(error, "")))
    lines = (line.strip() for line in str(error).splitlines())
    return next(filter(None, lines), type(error).__name__)


def first_fault(error: Any, whole: str = "the whole") -> tuple[str, str]:
    """The place of the first fault that pydantic finds, such as `training.lr`, or `whole`; and what
    it is."""
    first = error.errors()[0]
    unknown = first["type"] == "extra_forbidden"
    fault = "there is none of that name" if unknown else first["msg"]
    return ".".join(map(str, first["loc"])) or whole, fault.removeprefix("Value error, ")


def counted(number: int, noun: str) -> str:
    """A number with what it counts, for a message: `1 file`, `2 files` or `1,000 files`."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def in_shell(path: object) -> str:
    """A path as a shell takes it, for a command that a message names."""
    return shlex.quote(str(path))
