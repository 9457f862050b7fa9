"""What a loop of one's own leaves in a folder, so that `reeltune losses` can show it."""

from collections.abc import Mapping
from pathlib import Path

from torch import nn

from reeltune.meltr.combiner import FILE, Learned, save
from reeltune.meltr.ranks import leads
from reeltune.storage.atomic_file import write_atomically
from reeltune.storage.regular_file import read_bytes
from reeltune.storage.run_log import LOG, line_of


class Diary:
    """Appends a line for each batch to the log of a folder, and keeps MELTR at each epoch's end.

    A log that is there already is gone on with, after its last whole line, or after the batch
    number `until` if a state was taken there. Of several processes the first alone writes.
    """

    def __init__(self, folder: Path, primary: str, until: int | None = None) -> None:
        self.folder, self._primary = folder, primary
        self.steps = self._epochs = 0
        if leads():
            folder.mkdir(parents=True, exist_ok=True)
            self.go_back(until)

    def go_back(self, until: int | None) -> None:
        """Drop batches after this one, which are done again, and half a line of a killed run."""
        self.steps = self._epochs = 0
        log, kept = self.folder / LOG, list[bytes]()
        known = leads() and log.is_file()
        lines = read_bytes(log).splitlines(keepends=True) if known else []
        for line in lines:
            step = line.startswith(b'{"kind": "step"')
            if not line.endswith(b"\n") or (step and self.steps == until):
                break
            self.steps += step
            self._epochs += line.startswith(b'{"kind": "epoch"')
            kept.append(line)
        if kept != lines:
            write_atomically(log, b"".join(kept))

    def step(self, facts: Mapping[str, float]) -> None:
        """Add a batch that was trained on."""
        self.steps += 1
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
                file.write(line_of(kind, self.steps, facts))
