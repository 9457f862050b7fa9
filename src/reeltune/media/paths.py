"""Paths as programs give them: one, or several."""

from collections.abc import Sequence
from pathlib import Path

from reeltune.errors import ConfigError
from reeltune.storage.object_path import ObjectPath

Paths = str | Path | ObjectPath | Sequence[str | Path | ObjectPath]
SINGLE = (str, Path, ObjectPath)


def each_of(paths: Paths) -> list[str]:
    """Every path as a text; a text alone is one path, and no sequence of letters.

    Raises ConfigError for an empty text, which would mean the folder one is in, and for a
    text with a zero byte, which no system takes.
    """
    listed = [str(paths)] if isinstance(paths, SINGLE) else [str(path) for path in paths]
    if "" in listed:
        raise ConfigError(
            "a path is empty, as that of a variable without a value; give a video or a folder"
        )
    for path in listed:
        if "\0" in path:
            raise ConfigError(f"the path {path!r} has a zero byte, which no name has; take it out")
    return listed
