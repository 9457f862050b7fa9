"""The folder where Reeltune keeps what can be made again."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """$REELTUNE_CACHE, or ~/.cache/reeltune."""
    return Path(os.environ.get("REELTUNE_CACHE") or Path.home() / ".cache" / "reeltune")
