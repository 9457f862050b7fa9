"""Places of videos as a library knows them: absolute, with links resolved, or URLs."""

import os
from pathlib import Path

from reeltune.storage.fetched import is_in_store
from reeltune.storage.home import from_home
from reeltune.storage.object_path import ObjectPath
from reeltune.storage.place import Status


def place_of(path: str | Path) -> str:
    """The place that a path means as a person writes it; it need not be there."""
    if is_in_store(str(path)):
        return str(ObjectPath.of(str(path)))
    return os.path.realpath(from_home(path))


def status_of(location: str) -> Status:
    """Size and time of change of a file on disk or in a store; raises OSError where there is
    none."""
    return ObjectPath.of(location).stat() if is_in_store(location) else os.stat(location)


def is_below(location: str, folder: str) -> bool:
    """Whether a place is a folder, or lies in it at any depth."""
    return Path(location).is_relative_to(folder)


def depth_of(place: str) -> int:
    """The number of parts that a place has, of which each but the last is a folder."""
    return len(Path(place).parts)
