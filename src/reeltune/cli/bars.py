"""Shows how far long work is: a bar on a terminal, and elsewhere a line now and then."""

import time
from collections.abc import Callable

from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from reeltune.cli.loudness import is_shown
from reeltune.cli.terminal import console, is_terminal, say, shown
from reeltune.errors import counted

EVERY = 10.0  # s between lines
OPENING = "opening the model"
TAIL = 40  # characters of a path that are shown


class Spinner:
    """Turns while something goes on whose length nobody knows; on a terminal only."""

    def __init__(self, said: str = OPENING, hidden: bool = False) -> None:
        turns = is_shown(hidden) and is_terminal(err=True)
        self._status = console(err=True).status(said) if turns else None

    def __enter__(self) -> "Spinner":
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()


class Shown:
    """What bars have in common: a spinner until work begins, then bars of it, or lines."""

    def __init__(self, hidden: bool, *columns: ProgressColumn) -> None:
        looked_at = is_terminal(err=True)
        self._spinner = Spinner(hidden=hidden)
        self.bars = Progress(
            *columns,
            console=console(err=True),
            transient=True,
            disable=not (is_shown(hidden) and looked_at),
        )
        self._has_lines = is_shown(hidden) and not looked_at
        self._has_begun, self._told_at = False, 0.0

    def open(self) -> None:
        """Turn the spinner."""
        self._spinner.__enter__()

    def begin(self) -> None:
        """Show bars from now on; it may be said again and again."""
        if not self._has_begun:
            self._has_begun, self._told_at = True, time.monotonic()
            self._spinner.__exit__()
            self.bars.start()

    def close(self) -> None:
        """Take everything off the screen."""
        self._spinner.__exit__()
        self.bars.stop()

    def line(self, said: Callable[[], str]) -> None:
        """Print how far work is where there are no bars, if the last line is long ago."""
        if self._has_lines and time.monotonic() - self._told_at >= EVERY:
            self._told_at = time.monotonic()
            say(said(), err=True)


class Bar:
    """Progress by bytes of video, with the time that is left."""

    def __init__(self, hidden: bool = False) -> None:
        self._shown = Shown(
            hidden,
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[path]}", style="dim", markup=False),
        )
        self._task: TaskID | None = None
        self._recognised: TaskID | None = None
        self._files, self._done, self._size, self._work = 0, 0, 0, ""

    def __enter__(self) -> "Bar":
        self._shown.open()
        return self

    def __exit__(self, *_: object) -> None:
        self._shown.close()

    def begin(self, files: int, size: int, work: str = "") -> None:
        """Show an empty bar for so many files of `size` bytes, below those of work before it."""
        self._shown.begin()
        self._files, self._done, self._size = files, 0, size
        self._work = f"{work}: " if work else ""
        said = f"{self._work}{counted(files, 'file')}"
        self._task = self._shown.bars.add_task(said, total=size, path="")

    def advance(self, path: str, size: int) -> None:
        """Move the bar by `size` bytes, and show the end of the path."""
        self._done += size
        if self._task is not None:
            self._shown.bars.update(self._task, advance=size, path=_end_of(path))
        self._shown.line(
            lambda: (
                f"{self._work}{decimal(self._done)} of {decimal(self._size)} "
                f"in {counted(self._files, 'file')} done"
            )
        )

    def recognise(self, path: str, done: int, size: int) -> None:
        """Show a second bar, how far the reading of a file is by which it is recognised."""
        if self._recognised is None:
            self._recognised = self._shown.bars.add_task("recognising", total=None, path="")
        self._shown.bars.update(
            self._recognised, completed=done, total=size, path=_end_of(path), visible=done < size
        )
        if done < size:
            self._shown.line(lambda: f"{decimal(done)} of {decimal(size)} read to recognise {path}")


class TrainingBar:
    """Progress of a training run: steps, loss, clips per second, time that is left."""

    def __init__(self, hidden: bool = False) -> None:
        self._shown = Shown(
            hidden,
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[said]}", markup=False),
            TimeRemainingColumn(),
        )
        self._task: TaskID | None = None
        self._preparing: dict[str, TaskID] = {}
        self._done, self._steps = 0, 0

    def __enter__(self) -> "TrainingBar":
        self._shown.open()
        return self

    def __exit__(self, *_: object) -> None:
        self._shown.close()

    def prepare(self, what: str, done: int, total: int) -> None:
        """Show work before the first step; its line disappears when it is done."""
        self._shown.begin()
        if what not in self._preparing:
            self._preparing[what] = self._shown.bars.add_task(what, total=total, said="")
        self._shown.bars.update(self._preparing[what], completed=done)
        if done == total:
            self._shown.bars.remove_task(self._preparing.pop(what))
        self._shown.line(lambda: f"{what}: {done} of {total}")

    def say(self, sentence: str) -> None:
        """Print what should be known before the first step on the error stream, for scripts as
        well."""
        say((sentence, "yellow" if sentence.startswith("warning") else ""), err=True)

    def begin(self, done: int, steps: int) -> None:
        """Show a bar of all steps, of which some are done."""
        self._shown.begin()
        self._done, self._steps = done, steps
        self._task = self._shown.bars.add_task("step", total=steps, completed=done, said="")

    def step(self, facts: dict[str, float]) -> None:
        """Move the bar by a step, and show its loss and speed."""
        self._done += 1
        said = f"loss {facts['loss']:.3f}  {facts['clips/s']:.0f} clips/s"
        if self._task is not None:
            self._shown.bars.update(self._task, advance=1, said=said)
        self._shown.line(lambda: f"step {self._done} of {self._steps}  {said}")

    def epoch(self, facts: dict[str, float]) -> None:
        """Print the validation of an epoch, and a warning where the primary loss is trained
        upwards."""
        if facts.get("primary slope", 0.0) < 0:
            say((climbing(facts), "yellow"), err=True)
        if self._shown.bars.disable:
            return
        main = [
            f"{called} {facts[name]:.1f}"
            for name, called in _main_figures().items()
            if name in facts
        ]
        if main:
            said = f"epoch {facts['epoch']:.0f}: validation {'; '.join(main)}"
            say(said, err=True)


def _end_of(path: str) -> str:
    return shown(path[-TAIL:])


def _main_figures() -> dict[str, str]:
    """The figures of every task that are shown where few are, and their names."""
    from reeltune.tasks.finding.judge import all_tasks

    return {name: called for task in all_tasks() for name, called in task.main.items()}


def climbing(facts: dict[str, float]) -> str:
    """A warning that MELTR makes training raise the very loss by which the model is judged."""
    return (
        f"epoch {facts['epoch']:.0f}: the melted loss falls as the primary loss rises (its "
        f"weight is {facts['primary slope']:.3g} on average), so training makes the primary loss "
        "worse; set meltr.sizes.residual=true and meltr.step.direct_term=true, or lower "
        "meltr.step.lr"
    )
