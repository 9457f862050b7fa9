"""How a channel of words tells what one file holds."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from reeltune.records import Phrase

Words = Literal["said", "shown"]  # the channels that are words


@dataclass(frozen=True, kw_only=True)
class Told:
    """All that one channel of one file holds."""

    phrases: list[Phrase]  # in the order of time
    source: str  # "sidecar", "embedded", "speech" or "frames"; "" where nothing was found
    language: str = ""  # BCP 47, "" where unknown
    note: str = ""  # what was wrong with a part of it


class Teller(Protocol):
    """What finds the words of one channel.

    A run of indexing has one for each channel; models open when the first file needs them.
    """

    channel: Words
    fingerprint: str  # of all that decides the texts: models, weights, settings; opens no model
    name: str  # for people, such as "speech: tiny.en" or "text: PP-OCR"

    def beside(self, path: Path) -> str:
        """What lies beside a file and counts as well, such as its subtitles, as a short text that
        changes with it and stays where both are moved; empty where nothing does. It is cheap."""
        ...

    def tell(self, path: Path, done: Callable[[float], None]) -> Told:
        """What the channel of a file holds; `done` takes the share (0 to 1) that is finished.

        Raises MediaError or another ReeltuneError where that cannot be found out; the file's
        pictures stay.
        """
        ...

    def close(self) -> None:
        """Give back what models hold."""
        ...
