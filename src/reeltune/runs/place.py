"""Where a run reads and writes, and who is told about its progress."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from reeltune.training import distributed
from reeltune.training.log import Watcher


@dataclass(frozen=True, kw_only=True)
class RunPlace:
    """Folders, device and watcher of a run."""

    out: Path
    data: Path | None = None  # folder of the dataset; Toybox needs none
    device: str | None = None
    watcher: Watcher | None = None
    tensorboard: bool = False

    def progress(self, what: str) -> Callable[[int, int], None]:
        """A function that tells the watcher, if there is one, how far `what` has come: done, and
        in all."""
        return partial(self.watcher.prepare, what) if self.watcher else lambda done, total: None

    def say(self, sentences: Sequence[str]) -> None:
        """Tell the watcher of the first process."""
        if self.watcher is None or not distributed.start().leads:
            return
        for sentence in sentences:
            self.watcher.say(sentence)
