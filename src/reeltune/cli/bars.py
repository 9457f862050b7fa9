"""Shows how far long work is, to whoever looks on."""

import sys

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from reeltune.tasks.finding.judge import all_tasks


class Bar:
    """Progress by bytes of video, with the time that is left; silent if no person is looking."""

    def __init__(self, hidden: bool = False) -> None:
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[path]}"),
            console=Console(stderr=True),
            transient=True,
            disable=hidden or not sys.stderr.isatty(),
        )
        self._task: TaskID | None = None
        self._recognised: TaskID | None = None

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, files: int, size: int) -> None:
        """Show an empty bar for so many files of `size` bytes."""
        self._task = self._progress.add_task(f"{files} files", total=size, path="")

    def advance(self, path: str, size: int) -> None:
        """Move the bar by `size` bytes, and show the end of the path."""
        if self._task is not None:
            self._progress.update(self._task, advance=size, path=path[-40:])

    def recognise(self, path: str, done: int, size: int) -> None:
        """Show a second bar, how far the reading of a file is by which it is recognised."""
        if self._recognised is None:
            self._recognised = self._progress.add_task("recognising", total=None, path="")
        self._progress.update(
            self._recognised, completed=done, total=size, path=path[-40:], visible=done < size
        )


class TrainingBar:
    """Progress of a training run: steps, loss, clips per second, time that is left."""

    def __init__(self, hidden: bool = False) -> None:
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[said]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=hidden or not sys.stderr.isatty(),
        )
        self._task: TaskID | None = None
        self._preparing: dict[str, TaskID] = {}

    def __enter__(self) -> "TrainingBar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def prepare(self, what: str, done: int, total: int) -> None:
        """Show work before the first step; its line disappears when it is done."""
        if what not in self._preparing:
            self._preparing[what] = self._progress.add_task(what, total=total, said="")
        self._progress.update(self._preparing[what], completed=done)
        if done == total:
            self._progress.remove_task(self._preparing.pop(what))

    def say(self, sentence: str) -> None:
        """Print what should be known before the first step on the error stream, for scripts as
        well."""
        style = "yellow" if sentence.startswith("warning") else None
        Console(stderr=True).print(sentence, style=style, markup=False, soft_wrap=True)

    def begin(self, done: int, steps: int) -> None:
        """Show a bar of all steps, of which some are done."""
        self._task = self._progress.add_task("step", total=steps, completed=done, said="")

    def step(self, facts: dict[str, float]) -> None:
        """Move the bar by a step, and show its loss and speed."""
        said = f"loss {facts['loss']:.3f}  {facts['clips/s']:.0f} clips/s"
        if self._task is not None:
            self._progress.update(self._task, advance=1, said=said)

    def epoch(self, facts: dict[str, float]) -> None:
        """Print the validation of an epoch, and a warning where the primary loss is trained
        upwards."""
        if facts.get("primary slope", 0.0) < 0:
            Console(stderr=True).print(climbing(facts), soft_wrap=True)
        if self._progress.disable:
            return
        main = [
            f"{called} {facts[name]:.1f}"
            for name, called in _main_figures().items()
            if name in facts
        ]
        if main:
            said = f"epoch {facts['epoch']:.0f}: validation {'; '.join(main)}"
            self._progress.console.print(said)


def _main_figures() -> dict[str, str]:
    """The figures of every task that are shown where few are, and their names."""
    return {name: called for task in all_tasks() for name, called in task.main.items()}


def climbing(facts: dict[str, float]) -> str:
    """A warning that MELTR makes training raise the very loss by which the model is judged."""
    return (
        f"[yellow]epoch {facts['epoch']:.0f}: the melted loss falls as the primary loss rises (its "
        f"weight is {facts['primary slope']:.3g} on average), so training makes the primary loss "
        "worse; set meltr.sizes.residual=true and meltr.step.direct_term=true, or lower "
        "meltr.step.lr[/]"
    )
