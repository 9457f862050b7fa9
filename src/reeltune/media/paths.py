"""Paths as programs give them: one, or several."""

import os
from collections.abc import Sequence
from pathlib import Path

from reeltune.errors import ConfigError

Paths = str | Path | Sequence[str | Path]


def each_of(paths: Paths) -> list[str]:
    """Every path as a text; a text alone is one path, and no sequence of letters.

    Raises ConfigError for an empty text, which would mean the folder one is in.
    """
    listed = [os.fspath(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    if "" in listed:
        raise ConfigError(
            "a path is empty, as that of a variable without a value; give a video or a folder"
        )
    return listed
