"""Places on disk as a library knows them: absolute, with links resolved."""

import os
from pathlib import Path


def place_of(path: str | Path) -> str:
    """The place that a path means as a person writes it; it need not be there."""
    return os.path.realpath(Path(path).expanduser())


def is_below(location: str, folder: str) -> bool:
    """Whether a place is a folder, or lies in it at any depth."""
    return Path(location).is_relative_to(folder)
