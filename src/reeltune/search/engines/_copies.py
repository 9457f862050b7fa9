"""Objects of a store that were fetched to be recognised, until they are decoded."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from reeltune.storage.fetched import is_in_store, on_disk


class Copies:
    """Copies on this disk, by the place of their objects."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[ExitStack, Path]] = {}

    def fetched(self, location: str, told: Callable[[int], None]) -> Path:
        """A file on this disk, which for an object is a copy that is kept until it is let go."""
        if not is_in_store(location):
            return Path(location)
        held = ExitStack()
        path = held.enter_context(on_disk(location, told))
        self._held[location] = held, path
        return path

    @contextmanager
    def taken(self, location: str) -> Iterator[Path | None]:
        """The copy of an object, if there is one, which is gone afterwards."""
        held, path = self._held.pop(location, (ExitStack(), None))
        with held:
            yield path

    def drop(self, location: str) -> None:
        """Let go of a copy, if there is one."""
        with self.taken(location):
            pass

    def close(self) -> None:
        """Let go of all."""
        for location in list(self._held):
            self.drop(location)
