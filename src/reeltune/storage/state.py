"""The folder where Reeltune keeps what it remembers of its last use."""

import os
from pathlib import Path


def state_folder() -> Path:
    """$REELTUNE_STATE, or `reeltune` in $XDG_STATE_HOME, or ~/.local/state/reeltune."""
    if given := os.environ.get("REELTUNE_STATE"):
        return Path(given)
    place = os.environ.get("XDG_STATE_HOME")
    return (Path(place) if place else Path.home() / ".local" / "state") / "reeltune"
