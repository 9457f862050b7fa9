"""A row as it was measured: means over seeds, intervals, and differences to other rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from reeltune.errors import DataError
from reeltune.evaluation.protocols import V2tRule
from reeltune.evaluation.remarks import Remarks, remarks_of
from reeltune.evaluation.report import AnyReport
from reeltune.evaluation.trivial import shown
from reeltune.papers.table.draws import Difference, Sample, sample_of
from reeltune.papers.table.entry import Entry, Measured
from reeltune.papers.table.plan import Plan
from reeltune.runs.finished import METRICS
from reeltune.runs.paper import figures_of, is_published
from reeltune.tasks.finding.reports import read_report


@dataclass(frozen=True)
class Row:
    """All seeds of an entry. Figures are "t2v R@1", "SumR" of both directions, "CIDEr-D", ..."""

    entry: Entry
    folders: Sequence[Path]  # of its runs
    reports: Sequence[AnyReport]
    paper: Mapping[str, float]  # where what was measured is what the paper measured
    facts: dict[str, Any] = field(default_factory=dict)  # beside figures, such as seconds
    others: dict[str, "Row"] = field(default_factory=dict, repr=False)  # compared with, by label

    @property
    def name(self) -> str:
        """The name of the row's entry."""
        return self.entry.name

    @cached_property
    def sample(self) -> Sample:
        """Means and draws of its reports."""
        return sample_of(self.reports)

    @cached_property
    def remarks(self) -> Remarks:
        """What has to be said of its reports."""
        return remarks_of(self.reports)

    def shown(self, name: str) -> str:
        """A mean as pages have it: a dash for one that tells nothing."""
        return shown(self.sample.means, name, self.remarks.trivial)

    def less(self, label: str, name: str) -> Difference | None:
        """A figure less that of the row of that label; None where there is no such row."""
        other = self.others.get(label)
        return None if other is None else self.sample.less(other.sample, name)


Count = Callable[[Plan, Row], Mapping[str, Any]]  # the facts of a row


def row_of(plan: Plan, entry: Entry, benchmark: str, rule: V2tRule, count: Count) -> Row:
    """A row from its runs on disk; `benchmark` is the one that the paper measured on.

    Errors: `DataError` for a report whose video to text is by another rule than `rule`.
    """
    folders = [job.folder for job in entry.jobs(plan)]
    measured = [(entry.measure or _own)(folder) for folder in folders]
    for folder, (report, _) in zip(folders, measured, strict=True):
        _require_rule(folder, report, rule)
    reports = [report for report, _ in measured]
    paper = papers_figures(plan, entry, benchmark, reports)
    row = Row(entry, folders, reports, paper)
    row.facts.update({**count(plan, row), **measured[0].facts})
    return row


def _own(folder: Path) -> Measured:
    """A run, measured by the report that it left at its end."""
    return Measured(read_report(folder / METRICS), {})


def _require_rule(folder: Path, report: AnyReport, rule: V2tRule) -> None:
    found = getattr(report.protocol, "v2t", rule)  # captions have no such rule
    if found != rule:
        raise DataError(
            f"{folder} was measured with v2t={found}, and this table is by v2t={rule}; give "
            f"--set v2t={found} for a table of what is there, or another --out to train anew"
        )


def papers_figures(
    plan: Plan, entry: Entry, benchmark: str, reports: Sequence[AnyReport]
) -> Mapping[str, float]:
    """The paper's figures, if all reports are on the test data that it measured on `benchmark`."""
    if plan.benchmark != benchmark:
        return {}
    recipe = entry.recipe(plan)
    if not all(is_published(recipe.test_hash, report) for report in reports):
        return {}
    return figures_of(recipe.expected, recipe.expected_v2t) if entry.paper is None else entry.paper
