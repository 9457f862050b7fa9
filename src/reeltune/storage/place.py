"""Where a library lies: in a folder of the file system, or in an object store."""

import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, runtime_checkable

from reeltune.errors import ConfigError
from reeltune.storage.home import from_home
from reeltune.storage.object_path import ObjectPath

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class Status(Protocol):
    """What is known of a file without reading it."""

    @property
    def st_size(self) -> int:
        """Bytes."""

    @property
    def st_mtime_ns(self) -> int:
        """When it was last written, in ns since 1970."""


@runtime_checkable
class Place(Protocol):
    """A file or a folder, by those methods of `pathlib.Path` that object stores have as well."""

    @property
    def name(self) -> str:
        """The last part."""

    @property
    def stem(self) -> str:
        """The last part without its suffix."""

    @property
    def parent(self) -> "Place":
        """The folder that it lies in."""

    def __truediv__(self, name: str) -> "Place":
        """What has this name in the folder."""

    def exists(self) -> bool:
        """Whether anything is there."""

    def is_file(self) -> bool:
        """Whether a file is there."""

    def is_dir(self) -> bool:
        """Whether a folder is there."""

    def stat(self) -> Status:
        """Size and time of change; raises OSError where no file is."""

    def glob(self, pattern: str) -> Iterable["Place"]:
        """What lies in the folder under such a name."""

    def rglob(self, pattern: str) -> Iterable["Place"]:
        """What lies below the folder under such a name."""

    def mkdir(self, *, parents: bool = False, exist_ok: bool = False) -> None:
        """Make the folder."""

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete the file."""

    def absolute(self) -> "Place":
        """The place from anywhere."""


def place(given: str | Place) -> Place:
    """The place that a person means: a URL such as `s3://bucket/holidays`, or a path, in which `~`
    is the home folder."""
    if isinstance(given, ObjectPath):
        return given
    if not str(given).strip():
        raise ConfigError("the place is empty; give a folder, or a URL such as s3://bucket/films")
    if URL.match(str(given)):
        return ObjectPath.of(str(given))
    return from_home(str(given))


def remove_tree(folder: Place) -> None:
    """Delete a folder with all that is below it; nothing happens where there is none."""
    if isinstance(folder, ObjectPath):
        folder.remove_all()
    else:
        shutil.rmtree(str(folder), ignore_errors=True)


def move(source: Place, to: Place) -> None:
    """Give a file or a folder another name, in the same file system or store."""
    if isinstance(source, ObjectPath):
        copy(source, to)
        remove_tree(source)
    else:
        Path(str(source)).rename(str(to))


def copy(source: Place, to: Place) -> None:
    """Copy a file, or, in a store, all below a folder."""
    if isinstance(source, ObjectPath) and isinstance(to, ObjectPath):
        source.copy_to(to)
    else:
        shutil.copy2(str(source), str(to))
