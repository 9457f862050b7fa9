"""Prints what people read from commands: bars, tables and sentences."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from reeltune.evaluation.comparison import Comparison
from reeltune.evaluation.remarks import remarks_of
from reeltune.evaluation.report import AnyReport
from reeltune.media.files import said_of
from reeltune.runs.caption import Captioned
from reeltune.runs.video_by_video import Outcome
from reeltune.search.maintain import Health
from reeltune.search.query import may_match
from reeltune.search.report import Failed, Report
from reeltune.tasks.finding.ask import Reply
from reeltune.types import Hit, LeftOut

console = Console(highlight=False)


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
    for path in report.removed:
        console.print(f"removed {path}", markup=False, soft_wrap=True)
    for folder in report.kept:
        console.print(f"kept {folder.path}: {folder.reason}", markup=False, soft_wrap=True)
    show_failed([*report.failed, *report.uncaptioned])
    show_passed_over(report.passed_over)
    moments = sum(done.moments for done in report.indexed)
    seconds = sum((done.seconds for done in report.indexed), 0.0)
    counts = [f"{len(report.indexed)} indexed ({moments} moments of {clock(seconds)})"]
    for name in ("unchanged", "moved", "copies", "removed", "failed"):
        if number := len(getattr(report, name)):
            counts.append(f"{number} {name}")
    if report.captioned:
        counts.append(f"{report.captioned} moments captioned")
    console.print(f"{report.library}: {', '.join(counts)}, in {report.elapsed:.1f} s")


def show_passed_over(passed_over: Sequence[LeftOut]) -> None:
    """What lies in the folders and was not taken for a video, by kind."""
    for line in said_of(passed_over):
        console.print(line, style="dim", soft_wrap=True, markup=False)


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
