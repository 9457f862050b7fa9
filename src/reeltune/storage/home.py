"""Paths as a person writes them, in which `~` is the home folder."""

import os
from pathlib import Path


def from_home(path: str | os.PathLike[str]) -> Path:
    """A path in which `~` is the home folder; a name such as `~draft.csv`, which names nobody's, is
    that of a file."""
    return Path(os.path.expanduser(path))
