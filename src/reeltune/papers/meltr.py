"""The tables of MELTR: their runs, and what comes out of them with intervals.

Runs are shared: what two tables need is trained once, in a folder named by the recipe and by what
is changed in it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from reeltune.evaluation.remarks import Remarks, remarks_of
from reeltune.evaluation.report import AnyReport
from reeltune.papers.meltr_rows import Entry, Section
from reeltune.papers.vop import (
    Bounds,
    Job,
    Plan,
    bounds,
    chosen,
    is_papers_own,
    mean_of,
    require_rule,
)
from reeltune.recipes.read import read_recipe
from reeltune.runs.finished import METRICS
from reeltune.tasks.finding.reports import read_report
from reeltune.training.log import read_log

Draws = dict[str, Float[np.ndarray, " R"]]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row: means over seeds."""

    name: str
    recipe: str
    changes: dict[str, Any]
    figures: dict[str, float]
    intervals: dict[str, Bounds]  # 95 %, of what can be drawn again
    seeds: dict[str, list[float]]  # the compared figures of each seed
    to_base: dict[str, tuple[float, Bounds]]  # the compared figures less those of the sum
    to_primary: dict[str, tuple[float, Bounds]]
    to_origin: dict[str, tuple[float, Bounds]]  # less those without the added losses
    to_summed: dict[str, tuple[float, Bounds]]  # less those of the same losses, summed
    paper: dict[str, float]
    seconds: float  # of an epoch's training steps
    meta_seconds: float | None  # of a meta step, the median; none where there is none
    remarks: Remarks


def jobs_of(plan: Plan, sections: Sequence[Section]) -> list[Job]:
    """Every run of the sections, each once."""
    found = {
        job.folder: job
        for section in sections
        for entry in section.entries
        for job in entry_jobs(plan, entry)
    }
    return list(found.values())


def entry_jobs(plan: Plan, entry: Entry) -> list[Job]:
    """The runs of a row, one for each seed."""
    changes = _needed(plan, entry)
    folder = plan.out / "+".join([entry.method, *map(_slug, changes.items())])
    settings = (*plan.changes.items(), *changes.items())
    return [Job(entry.method, seed, folder / f"seed{seed}", settings) for seed in range(plan.seeds)]


def _needed(plan: Plan, entry: Entry) -> dict[str, Any]:
    """The changes that are any; a run with the others would be another one by name alone."""

    def resolved(changes: Mapping[str, Any]) -> tuple[object, object]:
        recipe = read_recipe(f"{plan.benchmark}/{entry.method}", {**plan.changes, **changes})
        return recipe.model_copy(update={"config": {}}), recipe.model_config_of()

    kept = dict(entry.changes)
    for name in entry.changes:
        fewer = {other: value for other, value in kept.items() if other != name}
        if resolved(fewer) == resolved(kept):
            kept = fewer
    return kept


def _slug(change: tuple[str, object]) -> str:
    """`meltr.scheme`, "neumann" as `scheme-neumann`."""
    name, value = change
    return re.sub(r"[^\w.]+", "-", f"{name.rpartition('.')[2]}-{value}").strip("-")


def rows_of(plan: Plan, section: Section) -> list[Row]:
    """The rows of a section, from the reports on disk."""
    folders = {e.name: [job.folder for job in entry_jobs(plan, e)] for e in section.entries}
    tested = {name: _tested(plan, own) for name, own in folders.items()}
    return [
        _row(
            section,
            entry,
            tested,
            _seconds(plan, entry, folders[entry.name]),
            is_papers_own(plan, section.benchmark, entry.method, tested[entry.name].reports),
        )
        for entry in section.entries
    ]


@dataclass(frozen=True)
class Tested:
    """All seeds of a row: reports, figures of each, and of each draw of videos and seeds."""

    reports: list[AnyReport]
    figures: list[dict[str, float]]
    draws: Draws
    remarks: Remarks


def _tested(plan: Plan, folders: Sequence[Path]) -> Tested:
    reports = [read_report(folder / METRICS) for folder in folders]
    for folder, report in zip(folders, reports, strict=True):
        require_rule(plan, folder, report)
    figures = [report.values() for report in reports]
    return Tested(reports, figures, draws_of(reports), remarks_of(reports))


def draws_of(reports: Sequence[AnyReport]) -> Draws:
    """Figures in each draw of videos and seeds; the same videos for reports of the same split."""
    count = reports[0].videos
    videos, seeds = chosen(count, len(reports))
    times = np.stack([np.bincount(one, minlength=count) for one in videos])  # (R, N)
    each = [report.drawn(times) for report in reports]
    return {
        name: np.take_along_axis(np.stack([one[name] for one in each], 1), seeds, 1).mean(1)
        for name in each[0]
    }


def _row(
    section: Section,
    entry: Entry,
    tested: Mapping[str, Tested],
    seconds: tuple[float, float | None],
    has_papers: bool,
) -> Row:
    own = tested[entry.name]

    def less(other: str | None) -> dict[str, tuple[float, Bounds]]:
        if other is None or other == entry.name:
            return {}
        return {name: _difference(own, tested[other], name) for name in section.compared}

    return Row(
        name=entry.name,
        recipe=entry.method,
        changes=dict(entry.changes),
        figures=mean_of(own.figures),
        intervals={name: bounds(values) for name, values in own.draws.items()},
        seeds={name: [one[name] for one in own.figures] for name in section.compared},
        to_base=less(section.base),
        to_primary=less(section.primary),
        to_origin=less(entry.origin),
        to_summed=less(entry.summed),
        paper=dict(entry.paper) if has_papers else {},
        seconds=seconds[0],
        meta_seconds=seconds[1],
        remarks=own.remarks,
    )


def _difference(own: Tested, other: Tested, name: str) -> tuple[float, Bounds]:
    """On the same draws of videos."""
    mean = mean_of(own.figures)[name] - mean_of(other.figures)[name]
    return mean, bounds(own.draws[name] - other.draws[name])


def _seconds(plan: Plan, entry: Entry, folders: Sequence[Path]) -> tuple[float, float | None]:
    """Of an epoch, a mean over the runs' own logs, and of a meta step, the median, if any."""
    training = read_recipe(f"{plan.benchmark}/{entry.method}", dict(plan.changes)).training
    logs = [read_log(folder) for folder in folders]
    clips = training.batch * training.accumulate
    epochs = [epoch_seconds(log, clips) for log in logs]
    spent = [line.get("meta seconds", 0.0) for log in logs for line in log]
    taken = [one for one in spent if one > 0]
    return float(np.mean(epochs)), float(np.median(taken)) if taken else None


def epoch_seconds(log: Sequence[Mapping[str, Any]], clips: int) -> float:
    """Mean time of an epoch's training steps, each of `clips` clips."""
    steps = sum(clips / line["clips/s"] for line in log if line["kind"] == "step")
    return float(steps / max(sum(line["kind"] == "epoch" for line in log), 1))
