"""The progress of work on video files, as whoever shows it is told."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Progress(Protocol):
    """Is told how the work goes; sizes are bytes of video files."""

    def begin(self, files: int, size: int) -> None:
        """Be told how many files and bytes there are to do."""
        ...

    def advance(self, path: str, size: int) -> None:
        """Be told that `size` bytes more are done, of the file at `path`."""
        ...


class Silent:
    """Progress for callers that show none."""

    def begin(self, files: int, size: int) -> None:
        """Nothing to show."""

    def advance(self, path: str, size: int) -> None:
        """Nothing to show."""
