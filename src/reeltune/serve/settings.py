"""What a server is started with."""

from dataclasses import dataclass
from pathlib import Path

from reeltune.serve.tokens import Tokens
from reeltune.storage.place import Place

PORT = 8420


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A server's settings, which nothing that a client sends can change."""

    library: Place
    roots: tuple[Path, ...] = ()  # folders whose videos may be brought in; links are resolved
    runs: tuple[Path, ...] = ()  # folders whose training runs are shown
    device: str | None = None
    model: str | None = None  # of a library that is made here; None: the default
    tokens: Tokens | None = None  # None: whoever reaches the server is its owner
    names: tuple[str, ...] = ()  # by which it is called, beside localhost
    is_open: bool = False  # whether other machines reach it, by whatever address it has
