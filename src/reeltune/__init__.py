"""Teach a video-text model your videos, cheaply, and search them with words.

import reeltune

reeltune.index(["Videos"], "my.library")
reeltune.Library("my.library").search("a dog catches a frisbee")
"""

from importlib import import_module
from typing import TYPE_CHECKING

from reeltune._version import __version__

if TYPE_CHECKING:
    from reeltune.models.opening.open import load
    from reeltune.records import Hit, Moment
    from reeltune.runs.ask import ask
    from reeltune.runs.caption import caption
    from reeltune.search.choice import Choice
    from reeltune.search.files import File
    from reeltune.search.ingest import index
    from reeltune.search.library import Library
    from reeltune.serve.client import Client

__all__ = [
    "Choice",
    "Client",
    "File",
    "Hit",
    "Library",
    "Moment",
    "__version__",
    "ask",
    "caption",
    "index",
    "load",
]

# Loaded at first use, so that `import reeltune` and `reeltune --help` do not wait for torch.
_HOMES = {
    "Choice": ("reeltune.search.choice", "Choice"),
    "Client": ("reeltune.serve.client", "Client"),
    "File": ("reeltune.search.files", "File"),
    "Hit": ("reeltune.records", "Hit"),
    "Library": ("reeltune.search.library", "Library"),
    "Moment": ("reeltune.records", "Moment"),
    "ask": ("reeltune.runs.ask", "ask"),
    "caption": ("reeltune.runs.caption", "caption"),
    "index": ("reeltune.search.ingest", "index"),
    "load": ("reeltune.models.opening.open", "load"),
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'reeltune' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)
