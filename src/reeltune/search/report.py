"""Reports what an indexing run did, file by file."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import get_args

from reeltune.errors import MediaError, ReeltuneError
from reeltune.records import LeftOut, Precision
from reeltune.search.channels.channel import Words


@dataclass(frozen=True)
class Indexed:
    """A file that is now in the library; `note` says what was wrong with it, and is empty if
    nothing was."""

    path: str
    moments: int
    seconds: float
    note: str = ""


@dataclass(frozen=True)
class Failed:
    """A file that could not be used at all, and why, in one line."""

    path: str
    reason: str


@dataclass(frozen=True)
class Worded:
    """A file whose words of one channel are now in the library; `note` says what was wrong with a
    part of them, and is empty if nothing was."""

    path: str
    phrases: int
    note: str = ""


def reason_of(error: Exception) -> str:
    """What was wrong with a file, in one line and without its path."""
    if isinstance(error, MediaError):
        return error.reason
    said = " ".join(str(error).split())
    return said if isinstance(error, ReeltuneError) else f"{type(error).__name__}: {said}"


@dataclass
class Report:
    """Outcome of `reeltune index`."""

    library: str
    indexed: list[Indexed] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)  # same content as another indexed file
    removed: list[str] = field(default_factory=list)
    kept: list[Failed] = field(default_factory=list)  # folders whose files only seem gone
    failed: list[Failed] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)  # still being written: left for the next run
    passed_over: list[LeftOut] = field(default_factory=list)  # files, folders and links, by kind
    captioned: int = 0  # moments that were given a caption
    uncaptioned: list[Failed] = field(default_factory=list)  # files in the library, but without
    heard: list[Worded] = field(default_factory=list)  # files of which speech was stored
    read: list[Worded] = field(default_factory=list)  # files of which text in pictures was stored
    unheard: list[Failed] = field(default_factory=list)  # files whose speech could not be
    unread: list[Failed] = field(default_factory=list)  # files whose text in pictures could not be
    precision: Precision = "float32"  # in which the model reads frames
    said: str = ""  # of that precision, in a sentence if there is something to say
    interrupted: bool = False
    error: str = ""  # what ended the run before its time
    elapsed: float = 0.0  # s

    @property
    def exit_code(self) -> int:
        """0: all is done; 3: some files are not in the library, lack captions or words that were
        wanted, only seem gone, or are still being written; 1: none could be used, or an error ended
        the run; 130: stopped."""
        if self.interrupted:
            return 130
        if self.error:
            return 1
        if not any((self.troubles, self.kept, self.waiting)):
            return 0
        return 3 if self.used else 1

    @property
    def used(self) -> bool:
        """Whether any of the files is in the library now."""
        return any((self.indexed, self.unchanged, self.moved, self.copies))

    @property
    def troubles(self) -> list[Failed]:
        """The files that could not be used, or not for all that was wanted of them."""
        return [*self.failed, *self.uncaptioned, *self.unheard, *self.unread]

    def arrange(self, paths: Sequence[str]) -> None:
        """Put every list of files in the order of these paths, and what is not among them last.

        Several decoders are done with files in an order that is left to chance.
        """
        place = {path: number for number, path in enumerate(paths)}

        def at(entry: str | Indexed | Failed | Worded) -> tuple[int, str]:
            path = entry if isinstance(entry, str) else entry.path
            return place.get(path, len(place)), path

        for plain in (self.unchanged, self.moved, self.copies, self.removed, self.waiting):
            plain.sort(key=at)
        for failed in (self.kept, self.failed, self.uncaptioned, self.unheard, self.unread):
            failed.sort(key=at)
        for done in (self.heard, self.read):
            done.sort(key=at)
        self.indexed.sort(key=at)

    def worded(self, channel: Words) -> list[Worded]:
        """The files whose words of a channel were stored."""
        return self.heard if channel == "said" else self.read

    def wordless(self, channel: Words) -> list[Failed]:
        """The files whose words of a channel could not be found out."""
        return self.unheard if channel == "said" else self.unread

    @property
    def phrases(self) -> dict[Words, int]:
        """How many phrases of each channel were stored."""
        channels: tuple[Words, ...] = get_args(Words)
        return {name: sum(one.phrases for one in self.worded(name)) for name in channels}

    def as_dict(self) -> dict[str, object]:
        """The report as plain data, with counts of phrases and the exit code."""
        return asdict(self) | {"phrases": self.phrases, "exit_code": self.exit_code}
