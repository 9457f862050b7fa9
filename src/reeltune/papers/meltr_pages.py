"""The tables of MELTR as Markdown, as JSON and as plots."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from reeltune.evaluation.protocols import V2tRule
from reeltune.evaluation.trivial import shown
from reeltune.papers._meltr_costs import Cost, stored_costs
from reeltune.papers.meltr import Row, jobs_of, rows_of
from reeltune.papers.meltr_rows import MELTR, SCHEMES, TABLES, Section
from reeltune.papers.table.missing import train_missing
from reeltune.papers.vop import Made, Plan, recipe_of, rule_of
from reeltune.papers.vop_pages import between, difference, line, noted, ruled
from reeltune.runs.place import RunPlace

RARELY = 25  # training steps for one meta step: about what the paper's seconds amount to


def make_meltr_tables(plan: Plan, sweep: bool, said: Callable[[str], None]) -> Made:
    """Train what is missing, and write the tables.

    With `sweep`, what the schemes cost is measured as well, beside their table.
    All tables of MELTR may share the plan's folder: a run that two of them need is trained once.
    """
    plan.methods()  # says which tables there are
    sections = TABLES[plan.family]
    train_missing(plan, jobs_of(plan, sections), said)
    tables = {section.title: rows_of(plan, section) for section in sections}
    costs = _costs(plan, said) if sweep and plan.family == "meltr-schemes" else {}
    text = markdown(plan, tables, costs)
    incomplete = any(row.remarks.incomplete for some in tables.values() for row in some)
    return Made(text, write_pages(plan, text, tables, costs), incomplete)


def _costs(plan: Plan, said: Callable[[str], None]) -> dict[str, Cost]:
    said("measuring what the schemes cost, in turns")
    place = RunPlace(out=plan.out, data=plan.data)
    return stored_costs(recipe_of(plan, MELTR), list(SCHEMES), place)


def write_pages(
    plan: Plan, text: str, tables: Mapping[str, Sequence[Row]], costs: Mapping[str, Cost]
) -> list[Path]:
    """`STEM.md`, `STEM.json` and a plot, named by what the family varies."""
    mpl.use("Agg")
    stem, rule = plan.out / plan.family.removeprefix("meltr-"), rule_of(plan)
    rows = {title: [asdict(row) for row in some] for title, some in tables.items()}
    content = {
        "v2t": rule,
        "tables": rows,
        "costs": {name: asdict(cost) for name, cost in costs.items()},
    }
    pages = {".md": text, ".json": json.dumps(content, indent=1) + "\n"}
    for end, page in pages.items():
        stem.with_suffix(end).write_text(page, encoding="utf-8")
    figure = plot({title: (_section(title), some) for title, some in tables.items()}, rule)
    figure.savefig(stem.with_suffix(".png"), dpi=120, bbox_inches="tight")
    return [stem.with_suffix(end) for end in (*pages, ".png")]


def _section(title: str) -> Section:
    found = (one for some in TABLES.values() for one in some if one.title == title)
    return next(found)


def markdown(plan: Plan, tables: Mapping[str, Sequence[Row]], costs: Mapping[str, Cost]) -> str:
    """A table for each section, and one of costs."""
    parts = [
        f"# {plan.family} on {plan.benchmark}",
        f"Means of {plan.seeds} seeds; intervals (95 %) by bootstrap over test videos and seeds, "
        "differences on the same draws: those that contain 0 are noise.",
    ]
    for title, rows in tables.items():
        section = _section(title)
        parts += [f"## {title}", section.said, _said_of_paper(section, rows)]
        parts += [_figures_table(section, rows, rule_of(plan))]
        parts += ["Differences.", _differences_table(section, rows, rule_of(plan))]
    if costs:
        every = next(iter(costs.values())).every
        parts += [
            "## What a scheme costs",
            f"Beside training on the plain sum, in turns on the same batches, K = {every}. The "
            "paper's column is by its seconds an epoch on msrvtt-7k.",
            _costs_table(costs),
        ]
    if notes := noted([row.remarks for some in tables.values() for row in some]):
        parts.append("\n".join(notes))
    return "\n\n".join(parts) + "\n"


def _said_of_paper(section: Section, rows: Sequence[Row]) -> str:
    """Whose the paper's columns are, or why there are none."""
    if not any(entry.paper for entry in section.entries):
        return "The paper has no such table."
    if any(row.paper for row in rows):
        return f"The paper's columns are of {section.benchmark}, one run each."
    return (
        f"The paper's figures are of the whole test split of {section.benchmark}, which is not "
        "what was measured here, so they are left out."
    )


def _figures_table(section: Section, rows: Sequence[Row], rule: V2tRule) -> str:
    shown = [name for name in section.figures if all(name in row.figures for row in rows)]
    papers = [name for name in (*section.figures, "s/epoch") if any(name in r.paper for r in rows)]
    timed = any(row.meta_seconds is not None for row in rows)
    head = [
        "row",
        *[ruled(name, rule) for name in shown],
        "seeds",
        "s/epoch",
        *(["s/meta step"] if timed else []),
    ]
    head += [f"paper {name}" for name in papers]

    def cells(row: Row) -> list[str]:
        seeds = " ".join(f"{one:.1f}" for one in row.seeds[section.compared[0]])
        spent = "" if row.meta_seconds is None else f"{row.meta_seconds:.3f}"
        own = [*[_figure(row, name) for name in shown], seeds, f"{row.seconds:.2f}"]
        papers_own = [f"{row.paper[name]:g}" if name in row.paper else "" for name in papers]
        return [row.name, *own, *([spent] if timed else []), *papers_own]

    return _table(head, [cells(row) for row in rows])


def _figure(row: Row, name: str) -> str:
    interval = f" ({between(row.intervals[name])})" if name in row.intervals else ""
    text = shown(row.figures, name, row.remarks.trivial)
    return text if text == "-" else f"{text}{interval}"


def _differences_table(section: Section, rows: Sequence[Row], rule: V2tRule) -> str:
    """Of the compared figures, to the rows that a section compares its own with."""
    sides = [("the sum", "to_base"), ("the primary loss", "to_primary")]
    if any(row.to_origin for row in rows):
        sides += [("five losses", "to_origin"), ("the same summed", "to_summed")]
    compared = [ruled(name, rule) for name in section.compared]
    head = ["row", *[f"{name}, to {said}" for name in compared for said, _ in sides]]
    body = [
        [row.name]
        + [difference(getattr(row, side).get(n)) for n in section.compared for _, side in sides]
        for row in rows
    ]
    return _table(head, body)


def _costs_table(costs: Mapping[str, Cost]) -> str:
    head = ["scheme", "a meta step, in training steps", "epoch at this K"]
    head += [f"at one in {RARELY}", "paper, epoch"]
    base = TABLES["meltr-schemes"][0].entries[0].paper["s/epoch"]
    body = [
        [
            name,
            f"{cost.meta_step:.2f}",
            f"{cost.overhead():+.1f} %",
            f"{cost.overhead(RARELY):+.1f} %",
            f"{100 * (SCHEMES[name][1] / base - 1):+.1f} %",
        ]
        for name, cost in costs.items()
    ]
    return _table(head, body)


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    return "\n".join([line(head), line(["---", *["--:" for _ in head[1:]]]), *map(line, body)])


def plot(tables: Mapping[str, tuple[Section, Sequence[Row]]], rule: V2tRule) -> Figure:
    """A panel for each section: differences to the sum of the first compared figure, by row.

    On the same draws, for what all rows share, such as hard videos, hides how they differ.
    """
    most = max(len(rows) for _, rows in tables.values())
    figure = Figure(figsize=(6.4 * len(tables), 1.2 + 0.34 * most), layout="constrained")
    panels = figure.subplots(1, len(tables), squeeze=False)[0]
    for axes, (title, (section, rows)) in zip(panels, tables.items(), strict=True):
        name = section.compared[0]
        base = next(row for row in rows if row.name == section.base).seeds[name]
        for place, row in enumerate(rows):
            mean, (low, high) = row.to_base.get(name, (0.0, (0.0, 0.0)))
            error = [[max(mean - low, 0)], [max(high - mean, 0)]]
            colour = "tab:grey" if row.name in (section.base, section.primary) else "tab:blue"
            axes.errorbar(mean, place, xerr=error, fmt="o", color=colour, capsize=2, markersize=4)
            each = [one - other for one, other in zip(row.seeds[name], base, strict=True)]
            axes.plot(each, [place] * len(each), ".", color="black", ms=2.5)
        axes.axvline(0, linestyle=":", color="grey")
        axes.set(
            title=title, xlabel=f"{ruled(name, rule)} less the sum's, 95 % intervals, and each seed"
        )
        axes.set_yticks(range(len(rows)), [row.name for row in rows])
        axes.invert_yaxis()
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3, axis="x")
    return figure
