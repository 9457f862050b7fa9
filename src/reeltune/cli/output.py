"""Prints what people read from commands: bars, tables and sentences."""

import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from reeltune.cli.shown_hits import clock, show_hits
from reeltune.cli.terminal import is_terminal, say, say_row, show, shown
from reeltune.errors import counted, in_shell
from reeltune.evaluation.remarks import remarks_of
from reeltune.media.cut import Clip
from reeltune.media.files import said_of
from reeltune.records import Hit, LeftOut
from reeltune.search.files import File
from reeltune.search.maintain import Health
from reeltune.search.report import Failed, Report
from reeltune.search.texts import KeptPhrase

if TYPE_CHECKING:  # what torch comes with, which an export is indexed and searched without
    from reeltune.evaluation.comparison import Comparison
    from reeltune.evaluation.report import AnyReport
    from reeltune.runs.caption import Captioned
    from reeltune.runs.video_by_video import Outcome
    from reeltune.search.reindex import Reindexed
    from reeltune.tasks.finding.ask import Reply

NAME = "reeltune"  # of the program


def show_figures(report: "AnyReport") -> None:
    """Print figures as a table, then what the splits lack."""
    show(report.table())
    show_remarks(report)


def show_remarks(report: "AnyReport") -> None:
    """Print which figures are not shown, and what the splits lack."""
    for sentence in remarks_of([report]).said:
        say((sentence, "yellow"))


def show_said(said: Sequence[str]) -> None:
    """Print what is not as the name of a benchmark says."""
    for sentence in said:
        say((sentence, "yellow"))


def show_trained(folder: Path, expected: dict[str, float], why_not: str | None = "") -> None:
    """What the paper has, and what to do next with a model that finds; `why_not` says what keeps it
    from that, None that it finds nothing at all."""
    if expected:
        figures = ", ".join(f"{name} {value:g}" for name, value in expected.items())
        say(f"the paper reports {figures}")
    if why_not:
        say(f"no videos can be indexed with it: {why_not}")
    elif why_not is not None:
        say(f"{folder}: reeltune index VIDEOS --model {in_shell(folder)}")


def show_tuning(
    folder: Path, report: "AnyReport", comparison: "Comparison", verdict: str, is_better: bool
) -> None:
    """Print figures before and after, what the splits lack, what may be claimed and how to use
    the model."""
    show(comparison.table())
    show_remarks(report)
    say(verdict)
    if is_better:
        say(f"{folder}: reeltune index VIDEOS --model {in_shell(folder)}")


def show_report(report: Report) -> None:
    """Faults by name, then one line of counts."""
    for done in report.indexed:
        if done.note:
            say(("partly", "yellow"), f" {done.path}: {done.note}")
    for told in (*report.heard, *report.read):
        if told.note:
            say(("partly", "yellow"), f" {told.path}: {told.note}")
    for path in report.removed:
        say(f"removed {path}")
    for folder in report.kept:
        say(f"kept {folder.path}: {folder.reason}")
    for path in report.waiting:
        say(f"left for the next run {path}: is still being written")
    show_failed(report.troubles)
    show_passed_over(report.passed_over)
    if report.said:
        say(report.said)
    moments = sum(done.moments for done in report.indexed)
    seconds = sum((done.seconds for done in report.indexed), 0.0)
    counts = [f"{len(report.indexed)} indexed ({counted(moments, 'moment')} of {clock(seconds)})"]
    for name in (
        "unchanged",
        "moved",
        "copies",
        "removed",
        "waiting",
        "failed",
        "unheard",
        "unread",
    ):
        if number := len(getattr(report, name)):
            counts.append(f"{number} {'copy' if (number, name) == (1, 'copies') else name}")
    if report.captioned:
        counts.append(f"{counted(report.captioned, 'moment')} captioned")
    if report.heard:
        counts.append(f"{len(report.heard)} heard ({counted(report.phrases['said'], 'phrase')})")
    if report.read:
        counts.append(f"{len(report.read)} read ({counted(report.phrases['shown'], 'phrase')})")
    say(f"{report.library}: {', '.join(counts)}, in {report.elapsed:.1f} s")


def show_reindexed(done: "Reindexed") -> None:
    """Files that are missing by name, and which model the library has now."""
    show_failed(done.missing)
    files, moments = counted(done.files, "file"), counted(done.moments, "moment")
    made = f"{files} ({moments}) encoded with {done.model}"
    if done.interrupted:
        say(f"{done.library}: {made}; the library is as it was")
    elif not done.in_use:
        say(
            f"{done.library}: {made}, and {counted(len(done.missing), 'file')} "
            f"{'is' if len(done.missing) == 1 else 'are'} missing, so the library is as it was; "
            "bring back what is missing and run this again, or go on without it: --drop-missing"
        )
    else:
        say(f"{done.library}: {made}; reeltune library undo {in_shell(done.library)} goes back")
    if done.captions_lost:
        say(
            f"captions that fit no moment of the new model: {done.captions_lost}; write these again"
        )


def show_passed_over(passed_over: Sequence[LeftOut]) -> None:
    """What lies in the folders and was not taken for a video, by kind."""
    for line in said_of(passed_over):
        say((line, "dim"))


def show_replies(found: "Outcome[Reply]", top: int) -> None:
    """The best answers about each video, or its rating, a line a video; then what failed."""
    show_said(found.notes)
    for path, reply in found.videos.items():
        best = [f"{answer.answer} ({answer.share:.0%})" for answer in reply.answers[:top]]
        said = ", ".join(best) if reply.rating is None else f"{reply.rating:+.2f}"
        say(f"{path}: {said}")
    show_failed(found.failed)


def show_captions(found: "Outcome[Captioned]") -> None:
    """One line a video; then what failed."""
    show_said(found.notes)
    for path, captioned in found.videos.items():
        say(f"{path}: {captioned.caption}")
    show_failed(found.failed)


def show_clip(clip: Clip, wanted: float) -> None:
    """Print where a clip lies, what of the video it has, and how much earlier than `wanted`, in s,
    it begins."""
    if clip.note:
        say(("partly", "yellow"), f" {clip.path}: {clip.note}")
    early = wanted - clip.start
    why = f"; {early:.1f} s early, at a keyframe: --exact begins in time" if early >= 0.05 else ""
    size = decimal(clip.size)
    say(f"{clip.path}: from {clock(clip.start)} to {clock(clip.end)}, {size}{why}")


def show_failed(failed: Sequence[Failed]) -> None:
    """Files that could not be used, by name."""
    for one in failed:
        say(("failed", "red"), f" {one.path}: {one.reason}")


def show_answers(answers: Sequence[tuple[str, Sequence[Hit]]]) -> None:
    """Several queries, each with its hits below it."""
    for query, hits in answers:
        say("")
        say((query, "bold"))
        show_hits(hits, query)


def show_next_steps(library: str, sheet: str) -> None:
    """Print where the demo's results lie, and what to do next."""
    say("")
    say(f"The answers as pictures: {sheet}")
    say("Now try:")
    called = program()
    say(f'  {called} search "words of your own" --library {in_shell(library)}')
    say(f"  {called} index ~/Videos && {called} search 'a birthday cake'")


def program() -> str:
    """How a shell calls this program: by its name where the shell finds it, or else by its path."""
    own, found = Path(sys.executable).with_name(NAME), shutil.which(NAME)
    if not own.is_file() or (found and os.path.samefile(found, own)):
        return NAME
    here = Path.cwd()
    return shlex.quote(str(own.relative_to(here) if own.is_relative_to(here) else own))


def show_files(files: Sequence[File]) -> None:
    """One line a file: moments, length, size and path, which is absolute where a script
    reads."""
    for file in files:
        path = file.path if is_terminal() else file.location
        say_row(str(file.moments), clock(file.duration), decimal(file.size), path)


def show_texts(texts: Iterable[KeptPhrase]) -> None:
    """One line a phrase: from, to, how it is told, path and words; the path is absolute where a
    script reads."""
    for text in texts:
        path = text.path if is_terminal() else text.location
        say_row(clock(text.start), clock(text.end), text.channel, path, text.text)


def show_facts(facts: dict[str, object]) -> None:
    """Names and values in two columns."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in facts.items():
        table.add_row(Text(shown(name.replace("_", " ")), "dim"), shown(_plainly(value)))
    show(table)


def _plainly(value: object) -> object:
    """A value as a person would say it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plainly(one)}" for name, one in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(str(_plainly(one)) for one in value) or "none"
    return "none" if value is None else value


def show_health(health: Health) -> None:
    """Faults and remarks, then the verdict."""
    for fault in health.faults:
        say(("fault", "red"), f" {fault}")
    for remark in health.remarks:
        say((remark, "dim"))
    verdict = counted(len(health.faults), "fault") if health.faults else "sound"
    phrases = f", {counted(health.phrases, 'phrase')}" if health.phrases else ""
    files, moments = counted(health.files, "file"), counted(health.moments, "moment")
    say(f"{verdict}: {files}, {moments}{phrases}")
