"""The progress of work on video files, as whoever shows it is told."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Progress(Protocol):
    """Is told how the work goes; sizes are bytes of video files."""

    def begin(self, files: int, size: int, work: str = "") -> None:
        """Be told how many files and bytes there are to do, again for each kind of work: `work` is
        `hearing` or `reading` where words are found, and empty for all else."""
        ...

    def advance(self, path: str, size: int) -> None:
        """Be told that `size` bytes more are done, of the file at `path`."""
        ...

    def recognise(self, path: str, done: int, size: int) -> None:
        """Be told that `done` of the `size` bytes of a file were read, by which it is recognised;
        any thread may tell it."""
        ...


class Silent:
    """Progress for callers that show none."""

    def begin(self, files: int, size: int, work: str = "") -> None:
        """Nothing to show."""

    def advance(self, path: str, size: int) -> None:
        """Nothing to show."""

    def recognise(self, path: str, done: int, size: int) -> None:
        """Nothing to show."""
