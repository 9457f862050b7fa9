"""What a loop of one's own leaves in a folder, so that `reeltune losses` can show it."""

from collections.abc import Mapping
from pathlib import Path

from torch import nn

from reeltune.meltr.combiner import FILE, Learned, save
from reeltune.meltr.ranks import leads
from reeltune.storage.run_log import LOG, line_of


class Diary:
    """Appends a line for each batch to the log of a folder, and keeps MELTR at each epoch's end.

    A log that is there already is gone on with. Of several processes the first alone writes.
    """

    def __init__(self, folder: Path, primary: str) -> None:
        self.folder, self._primary = folder, primary
        self._steps = self._epochs = 0
        if leads():
            folder.mkdir(parents=True, exist_ok=True)
            log = folder / LOG
            lines = log.read_text("utf-8").splitlines() if log.is_file() else []
            self._steps = sum(line.startswith('{"kind": "step"') for line in lines)
            self._epochs = sum(line.startswith('{"kind": "epoch"') for line in lines)

    def step(self, facts: Mapping[str, float]) -> None:
        """Add a batch that was trained on."""
        self._steps += 1
        self._append("step", facts)

    def end_epoch(self, combiner: nn.Module) -> None:
        """Add the end of an epoch, and keep what melts the losses if it is learned."""
        self._append("epoch", {"epoch": self._epochs, "primary": self._primary})
        self._epochs += 1
        if leads() and isinstance(combiner, Learned):
            save(combiner, self.folder / FILE)

    def _append(self, kind: str, facts: Mapping[str, float | str]) -> None:
        if leads():
            with (self.folder / LOG).open("a", encoding="utf-8") as file:
                file.write(line_of(kind, self._steps, facts))
