"""What a user chooses for a run that indexes videos."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypedDict, get_args, runtime_checkable

from reeltune.errors import ConfigError
from reeltune.search._prune import Prune

Engine = Literal["local", "ray"]


@runtime_checkable
class Describes(Protocol):
    """A model that captions parts of videos."""

    @property
    def fingerprint(self) -> str:
        """That of the model's weights."""
        ...

    def parts(self, path: Path, spans: Sequence[tuple[float, float]]) -> list[str]:
        """A caption of each part of a video, from and to so many seconds; raises DataError for a
        video that cannot be read."""
        ...


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The user's choices; None takes what the library has, or the default in a new one."""

    model: str | None = None
    sampling: str | None = None
    device: str | None = None
    width: int | None = None  # to which vectors of a model that was trained for it are cut
    prune: Prune | None = None  # take out files below the given paths that are gone from disk
    exclude: str | Sequence[str] = ()  # patterns that are added to those of the library
    everything: bool = False  # also hidden files, and what systems and cameras keep for themselves
    follow: bool = False  # links that lead out of the given paths
    caption: Describes | None = None  # captions each moment; None: captions stay as they are
    hear: bool | None = None  # whether words that are said are found, also in later runs
    read: bool | None = None  # whether words that are shown are found, also in later runs
    speech: str | None = None  # what hears speech: a size of Whisper or a folder; kept as well
    settled: float = 0.0  # s; a file that changed less long ago may still be written, and waits
    engine: Engine = "local"  # where files are read: on this machine, or on a cluster of Ray
    address: str | None = None  # of a cluster that runs; None: one of this machine alone

    def __post_init__(self) -> None:
        if self.prune not in (None, *get_args(Prune)):
            raise ConfigError(
                f"prune is {self.prune!r}; give {' or '.join(get_args(Prune))}, or None to keep all"
            )
        if self.engine not in get_args(Engine):
            raise ConfigError(f"engine is {self.engine!r}; give {' or '.join(get_args(Engine))}")
        if not self.settled >= 0:
            raise ConfigError(f"settled is {self.settled}; give seconds, from 0 on")


class Options(TypedDict, total=False):
    """The choices of a run into a library that is there, see `Choice`."""

    prune: Prune | None
    exclude: str | Sequence[str]
    everything: bool
    follow: bool
    caption: Describes | None
    hear: bool | None
    read: bool | None
    speech: str | None
    settled: float
    engine: Engine
    address: str | None
