"""Prints what people read from commands: bars, tables and sentences."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from reeltune.evaluation.comparison import Comparison
from reeltune.evaluation.remarks import remarks_of
from reeltune.evaluation.report import AnyReport
from reeltune.runs.caption import Captioned
from reeltune.runs.video_by_video import Outcome
from reeltune.search.maintain import Health
from reeltune.search.query import may_match
from reeltune.search.report import Failed, Report
from reeltune.tasks.finding.ask import Reply
from reeltune.tasks.finding.judge import all_tasks
from reeltune.types import Hit

console = Console(highlight=False)


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


def show_figures(report: AnyReport) -> None:
    """Print figures as a table, then what the splits lack."""
    console.print(report.table())
    show_remarks(report)


def show_remarks(report: AnyReport) -> None:
    """Print which figures are not shown, and what the splits lack."""
    for sentence in remarks_of([report]).said:
        console.print(sentence, style="yellow", markup=False, soft_wrap=True)


def show_said(said: Sequence[str]) -> None:
    """Print what is not as the name of a benchmark says."""
    for sentence in said:
        console.print(sentence, style="yellow", markup=False, soft_wrap=True)


def show_trained(folder: Path, expected: dict[str, float], why_not: str | None = "") -> None:
    """What the paper has, and what to do next with a model that finds; `why_not` says what keeps it
    from that, None that it finds nothing at all."""
    if expected:
        figures = ", ".join(f"{name} {value:g}" for name, value in expected.items())
        console.print(f"the paper reports {figures}", soft_wrap=True)
    if why_not:
        console.print(f"no videos can be indexed with it: {why_not}", soft_wrap=True, markup=False)
    elif why_not is not None:
        console.print(f"{folder}: reeltune index VIDEOS --model {folder}", soft_wrap=True)


def show_tuning(
    folder: Path, report: AnyReport, comparison: Comparison, verdict: str, is_better: bool
) -> None:
    """Print figures before and after, what the splits lack, what may be claimed and how to use
    the model."""
    console.print(comparison.table())
    show_remarks(report)
    console.print(verdict, soft_wrap=True)
    if is_better:
        console.print(f"{folder}: reeltune index VIDEOS --model {folder}", soft_wrap=True)


def clock(seconds: float) -> str:
    """Seconds as 1:02:03.4 or 2:03.4."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"


def show_report(report: Report) -> None:
    """Faults by name, then one line of counts."""
    for done in report.indexed:
        if done.note:
            console.print(f"[yellow]partly[/] {done.path}: {done.note}", soft_wrap=True)
    show_failed([*report.failed, *report.uncaptioned])
    moments = sum(done.moments for done in report.indexed)
    seconds = sum((done.seconds for done in report.indexed), 0.0)
    counts = [f"{len(report.indexed)} indexed ({moments} moments of {clock(seconds)})"]
    for name in ("unchanged", "moved", "copies", "removed", "failed"):
        if number := len(getattr(report, name)):
            counts.append(f"{number} {name}")
    if report.captioned:
        counts.append(f"{report.captioned} moments captioned")
    console.print(f"{report.library}: {', '.join(counts)}, in {report.elapsed:.1f} s")


def show_hits(hits: Sequence[Hit]) -> None:
    """One line a moment: file, from, to, score; says so where nothing matches well."""
    if not hits:
        console.print("nothing found: no moment passes the filter, or the library is empty")
        return
    if not may_match(hits):
        console.print("[yellow]nothing here matches well[/]; the nearest are:")
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name, side in (("score", "right"), ("sure", "right"), ("from", "right"), ("to", "right")):
        table.add_column(name, justify=side, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("file", overflow="fold")
    for hit in hits:
        more = f" [dim](+{hit.similar} alike)[/]" if hit.similar else ""
        times = clock(hit.start), clock(hit.end)
        sure = "?" if hit.confidence is None else f"{hit.confidence:.0%}"
        said = f"\n[italic]{escape(hit.caption)}[/]" if hit.caption else ""
        table.add_row(f"{hit.score:.3f}", sure, *times, escape(hit.path) + more + said)
    console.print(table)


def show_replies(found: Outcome[Reply], top: int) -> None:
    """The best answers about each video, or its rating, a line a video; then what failed."""
    show_said(found.notes)
    for path, reply in found.videos.items():
        best = [f"{answer.answer} ({answer.share:.0%})" for answer in reply.answers[:top]]
        said = ", ".join(best) if reply.rating is None else f"{reply.rating:+.2f}"
        console.print(f"{path}: {said}", markup=False, soft_wrap=True)
    show_failed(found.failed)


def show_captions(found: Outcome[Captioned]) -> None:
    """One line a video; then what failed."""
    show_said(found.notes)
    for path, captioned in found.videos.items():
        console.print(f"{path}: {captioned.caption}", markup=False, soft_wrap=True)
    show_failed(found.failed)


def show_failed(failed: Sequence[Failed]) -> None:
    """Files that could not be used, by name."""
    for one in failed:
        console.print(f"[red]failed[/] {escape(one.path)}: {escape(one.reason)}", soft_wrap=True)


def show_answers(answers: Sequence[tuple[str, Sequence[Hit]]]) -> None:
    """Several queries, each with its hits below it."""
    for query, hits in answers:
        console.print(f"\n[bold]{query}[/]")
        show_hits(hits)


def show_next_steps(library: str, sheet: str) -> None:
    """Print where the demo's results lie, and what to do next."""
    console.print(f"\nThe answers as pictures: {sheet}\nNow try:")
    console.print(f'  reeltune search "words of your own" --library {library}', soft_wrap=True)
    console.print("  reeltune index ~/Videos && reeltune search 'a birthday cake'")


def show_facts(facts: dict[str, object]) -> None:
    """Names and values in two columns."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in facts.items():
        table.add_row(f"[dim]{name.replace('_', ' ')}[/]", str(value))
    console.print(table)


def show_health(health: Health) -> None:
    """Faults and remarks, then the verdict."""
    for fault in health.faults:
        console.print(f"[red]fault[/] {fault}", soft_wrap=True)
    for remark in health.remarks:
        console.print(f"[dim]{remark}[/]", soft_wrap=True)
    verdict = f"{len(health.faults)} faults" if health.faults else "sound"
    console.print(f"{verdict}: {health.files} files, {health.moments} moments")
