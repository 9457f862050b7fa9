"""Reports what an indexing run did, file by file."""

from dataclasses import asdict, dataclass, field

from reeltune.errors import MediaError, ReeltuneError
from reeltune.types import LeftOut


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
    interrupted: bool = False
    error: str = ""  # what ended the run before its time
    elapsed: float = 0.0  # s

    @property
    def exit_code(self) -> int:
        """0: all is done; 3: some files are not in the library, lack the captions that were wanted,
        only seem gone, or are still being written; 1: none could be used, or an error ended the
        run; 130: stopped."""
        if self.interrupted:
            return 130
        if self.error:
            return 1
        if not any((self.failed, self.uncaptioned, self.kept, self.waiting)):
            return 0
        return 3 if self.used else 1

    @property
    def used(self) -> bool:
        """Whether any of the files is in the library now."""
        return any((self.indexed, self.unchanged, self.moved, self.copies))

    def as_dict(self) -> dict[str, object]:
        """The report as plain data, with the exit code."""
        return asdict(self) | {"exit_code": self.exit_code}
