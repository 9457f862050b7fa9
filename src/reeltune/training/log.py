"""The log of a run: a line of JSON for each step and epoch, and TensorBoard on request."""

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from reeltune.errors import ConfigError
from reeltune.storage.atomic_file import write_atomically
from reeltune.storage.regular_file import read_bytes
from reeltune.storage.run_log import LOG, line_of


@runtime_checkable
class Watcher(Protocol):
    """Sees a run while it goes on, as a progress bar does."""

    def prepare(self, what: str, done: int, total: int) -> None:
        """Be told how far something before the training is."""
        ...

    def say(self, sentence: str) -> None:
        """Be told a sentence that a person should read."""
        ...

    def begin(self, done: int, steps: int) -> None:
        """Be told that training begins, with so many of its steps done already."""
        ...

    def step(self, facts: dict[str, float]) -> None:
        """Be told figures of a step, such as `loss` and `clips/s`."""
        ...

    def epoch(self, facts: dict[str, float]) -> None:
        """Be told figures of an epoch, those of validation among them."""
        ...


class Log:
    """Appends to `log.jsonl`.

    Lines of what a run did after its last state are dropped, since it is done again: steps after
    the `steps` first ones, epochs after the `epochs` first ones.
    """

    def __init__(self, folder: Path, steps: int, epochs: int, tensorboard: bool = False) -> None:
        self._board = _board(folder, steps + 1) if tensorboard else None
        self._path = folder / LOG
        done = {"step": steps, "epoch": epochs - 1}
        kept = [line for line in read_log(folder) if line[line["kind"]] <= done[line["kind"]]]
        write_atomically(self._path, "".join(json.dumps(line) + "\n" for line in kept).encode())
        self._file = self._path.open("a", encoding="utf-8", buffering=1)

    def write(self, kind: str, step: int, facts: dict[str, float]) -> None:
        """Append a line; `kind` is "step" or "epoch", and `step` its number."""
        self._file.write(line_of(kind, step, facts))
        if self._board is not None:
            for name, value in facts.items():
                self._board.add_scalar(f"{kind}/{name}", value, step)

    def close(self) -> None:
        """Close the files; nothing can be written after it."""
        self._file.close()
        if self._board is not None:
            self._board.close()


@dataclass(frozen=True)
class Lines:
    """What can be read of a log."""

    whole: list[dict[str, Any]]
    bad: int  # lines that are none of a log
    is_cut: bool  # whether the last is half a line, as while it is written or after a kill


def read_log(folder: Path) -> list[dict[str, Any]]:
    """All whole lines of a run's log; none if there is no log.

    The last line of a run that was killed may be half a line, and no line at all is of a run
    where the file is something else.
    """
    path = folder / LOG
    return lines_of(read_bytes(path)).whole if path.is_file() else []


def lines_of(content: bytes) -> Lines:
    """The lines of a log whose file has this content."""
    read = [_line(line) for line in content.decode(errors="replace").splitlines()]
    is_cut = bool(read) and read[-1] is None and not content.endswith(b"\n")
    whole = [line for line in read if line is not None]
    return Lines(whole, len(read) - len(whole) - is_cut, is_cut)


def _line(text: str) -> dict[str, Any] | None:
    with suppress(ValueError, RecursionError):
        line = json.loads(text)
        if isinstance(line, dict) and line.get("kind") in ("step", "epoch"):
            return line if isinstance(line.get(line["kind"]), int | float) else None
    return None


def _board(folder: Path, since: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ConfigError(
            "TensorBoard is not installed; pip install tensorboard, or leave --tensorboard out"
        ) from error
    return SummaryWriter(str(folder), purge_step=since)
