"""What the file of a table defines: its rows, its columns and what its figures are compared with.

A file in papers/ is a table by its `TABLE`, which `reeltune table` finds by the file's name; one
elsewhere is found by its dotted name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.figure import Figure

from reeltune.evaluation.protocols import V2tRule
from reeltune.papers.table.entry import Entry
from reeltune.papers.table.markdown import Column, Grid, less, mean_of
from reeltune.papers.table.plan import Job, Plan
from reeltune.papers.table.row import Count, Row, row_of


def page_of(found: "Found") -> list[Grid | str]:
    """One table with the compared figures, their intervals and their differences from other
    rows."""
    section, rule = found.section, found.rule
    figures = [mean_of(name, rule) for name in section.compared]
    labels = dict.fromkeys([*section.against, *(to for row in found.rows for to in row.others)])
    more = [less(label, name, rule) for name in section.compared for label in labels]
    return [Grid([Column("row", lambda row: row.name), *figures, *more], found.rows)]


def fields_of(found: "Found", row: Row) -> dict[str, Any]:
    """Means of all figures, and of the compared ones each seed and the differences."""
    compared = found.section.compared
    return {
        "name": row.name,
        "figures": row.sample.means,
        "intervals": row.sample.intervals,
        "seeds": {name: row.sample.seeds(name) for name in compared},
        "against": {to: {name: row.less(to, name) for name in compared} for to in row.others},
        "paper": row.paper,
        "remarks": vars(row.remarks),
    }


@dataclass(frozen=True, kw_only=True)
class Section:
    """Rows that are compared with each other."""

    name: str  # in JSON
    entries: Sequence[Entry]
    compared: Sequence[str]  # figures of which differences are given
    page: Callable[["Found"], Sequence[Grid | str]] = page_of  # paragraphs and tables
    fields: Callable[["Found", Row], Mapping[str, Any]] = fields_of  # of a row in JSON
    against: Mapping[str, str] = field(default_factory=dict)  # label -> row compared with
    benchmark: str = ""  # that the paper measured on; by default that of the plan
    count: Count = lambda plan, row: {}  # what rows tell beside figures

    def read(self, plan: Plan, rule: V2tRule) -> "Found":
        """The rows from their runs on disk."""
        benchmark = self.benchmark or plan.benchmark
        rows = {one.name: row_of(plan, one, benchmark, rule, self.count) for one in self.entries}
        for row in rows.values():
            named = {**self.against, **row.entry.against}
            beside = {label: name for label, name in named.items() if name in rows}
            others = {label: rows[name] for label, name in beside.items() if name != row.name}
            row.others.update(others)
        return Found(plan, self, [*rows.values()], rule)


@dataclass(frozen=True)
class Found:
    """A section as it was measured."""

    plan: Plan
    section: Section
    rows: Sequence[Row]
    rule: V2tRule  # by which captions of a video are ranked

    def page(self) -> list[Grid | str]:
        """The section as a page has it: grids and paragraphs."""
        return [*self.section.page(self)]

    def fields(self) -> list[Mapping[str, Any]]:
        """The section as JSON has it, an object for each row."""
        return [self.section.fields(self, row) for row in self.rows]


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What a table shows besides its rows."""

    page: Sequence[str] = ()  # below the sections
    fields: Mapping[str, Any] = field(default_factory=dict)  # more of the JSON
    files: Mapping[str, object] = field(default_factory=dict)  # JSON files by name
    plots: Mapping[str, Figure] = field(default_factory=dict)  # by name


Said = Callable[[str], None]


def _nothing(found: Sequence[Found], sweep: bool, said: Said) -> Beside:
    return Beside()


@dataclass(frozen=True, kw_only=True)
class Table:
    """A paper's table. `sections` is asked anew for each plan."""

    said: str  # below the title, after "Means of 3 seeds; "
    sections: Callable[[Plan], Sequence[Section]]
    beside: Callable[[Sequence[Found], bool, Said], Beside] = _nothing  # with or without the sweep
    sweep: Callable[[Plan], Sequence[Job]] = lambda plan: ()  # runs of the sweep
    under: str = ""  # name in JSON below which the sections are; by default they are at the top
    stem: str = "table"  # name of the files
    folder: str = ""  # of all runs; tables that share it share their runs; by default its own name
    takes_own: bool = False  # whether recipes of one's own may be rows of the first section
