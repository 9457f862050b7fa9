"""Cells and lines of a table in Markdown."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from reeltune.evaluation.protocols import V2tRule
from reeltune.evaluation.tables import shown
from reeltune.papers.table.draws import Bounds, Difference
from reeltune.papers.table.row import Row


class Column(NamedTuple):
    """A heading, and the cell below it in each row."""

    head: str
    cell: Callable[[Row], str]


class Grid(NamedTuple):
    """Rows by columns; the first column, and those without a heading, are words."""

    columns: Sequence[Column]
    rows: Sequence[Row]

    def __str__(self) -> str:
        head = [column.head for column in self.columns]
        return grid(head, [[column.cell(row) for column in self.columns] for row in self.rows])


def grid(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A table of cells; the first column, and those without a heading, are words."""
    rule = ["--:" if place and name else "---" for place, name in enumerate(head)]
    return "\n".join(map(line, [head, rule, *body]))


def line(cells: Sequence[str]) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def ruled(name: str, rule: V2tRule) -> str:
    """The heading of a figure: where video to text is in it, with the rule that ranked it."""
    if name == "SumR":  # of both directions
        return f"SumR (v2t {rule})"
    return f"{name} ({rule})" if name.startswith("v2t ") else name


def between(name: str, bounds: Bounds) -> str:
    """The interval of a figure, as text."""
    return "-".join(shown(name, one) for one in bounds)


def difference(name: str, found: Difference | None) -> str:
    """A figure's difference with its interval; empty if there is nothing to compare with."""
    if found is None:
        return ""
    low, high = (shown(name, one, "+") for one in found.bounds)
    return f"{shown(name, found.mean, '+')} ({low} to {high})"


def seeds(row: Row, name: str) -> str:
    """A figure for each seed, as text."""
    return " ".join(shown(name, one) for one in row.sample.seeds(name))


def mean_of(name: str, rule: V2tRule) -> Column:
    """A figure, the mean over seeds, with its interval where there is one."""

    def cell(row: Row) -> str:
        text, bounds = row.shown(name), row.sample.intervals.get(name)
        return text if bounds is None or text == "-" else f"{text} ({between(name, bounds)})"

    return Column(ruled(name, rule), cell)


def less(label: str, name: str, rule: V2tRule) -> Column:
    """A figure less that of the row of a label."""
    head = f"{ruled(name, rule)}, to {label}"
    return Column(head, lambda row: difference(name, row.less(label, name)))
