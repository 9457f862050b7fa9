"""The tables of Dual Encoding++ as Markdown, as JSON and as plots."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reeltune.evaluation.protocols import V2tRule
from reeltune.evaluation.trivial import shown
from reeltune.papers._dual_encoding_sweeps import ALPHAS, NORMALISATIONS, HeldOut, Sums
from reeltune.papers.dual_encoding import (
    AMOUNTS,
    BASELINE,
    PAPER,
    PLUS,
    UNI,
    Row,
    alpha_curves,
    held_out,
    rows_of,
    sparsity_curves,
    strategy_jobs,
    strategy_rows,
)
from reeltune.papers.table.missing import train_missing
from reeltune.papers.vop import Made, Plan, jobs_of, rule_of
from reeltune.papers.vop_pages import between, difference, line, noted, ruled
from reeltune.recipes.read import read_recipe

NAMES = {BASELINE: "DE", PLUS: "[B]", UNI: "[C]"}
COLOURS = {BASELINE: "tab:grey", PLUS: "tab:blue", UNI: "tab:orange"}
SHOWN = ("R@1", "R@5", "R@10", "MnR")
BASES = ("DE", "none")  # names of rows that others are compared with
CHOSEN = {BASELINE: ("range", 0.6), PLUS: ("max", 0.2)}  # normalisation and alpha of the recipes
WAYS = {"t2v": "text to video", "v2t": "video to text"}


def make_tables(plan: Plan, sweep: bool, said: Callable[[str], None]) -> Made:
    """Train and prune what is missing, and write the tables."""
    singles = [job for jobs in strategy_jobs(plan).values() for job in jobs]
    train_missing(plan, [*jobs_of(plan), *singles], said)
    held = held_out(plan)
    rows, alone = rows_of(plan, held), strategy_rows(plan)
    text = markdown(plan, rows, alone)
    tables = {
        "v2t": rule_of(plan),
        "rows": [asdict(row) for row in rows],
        "one at a time": [asdict(row) for row in alone],
    }
    pages = [_write(plan.out / "table.md", text), _write_json(plan.out / "table.json", tables)]
    pages += _sweeps(plan, rows, held) if sweep else []
    return Made(text, pages, any(row.remarks.incomplete for row in (*rows, *alone)))


def markdown(plan: Plan, rows: Sequence[Row], alone: Sequence[Row]) -> str:
    """Three tables: the rows, what the paper has for them, and one strategy at a time."""
    ours = rule_of(plan)
    heads, all_of = _headings(ours), ruled("SumR", ours)
    parts = [
        f"# {plan.family} on {plan.benchmark}",
        f"Means of {plan.seeds} seeds; intervals (95 %) by bootstrap over test videos and seeds, "
        "differences on the same draws. Size and non-zeros are parameters against those of DE. "
        f"What is pruned is not trained after it.",
        _table(["row", "", "size", "non-zeros", *heads, all_of, "to DE", "seeds"], rows, _cells),
        *_papers_part(rows, ours),
        "One strategy at a time, each against DE with nothing else changed.",
        _table(["strategy", "", *heads, all_of, "to DE", "seeds"], alone, _alone),
    ]
    if notes := noted([row.remarks for row in (*rows, *alone)]):
        parts.append("\n".join(notes))
    return "\n\n".join(parts) + "\n"


def _papers_part(rows: Sequence[Row], ours: V2tRule) -> list[str]:
    """The paper's table; where the rows are not of its test data, a sentence in its place."""
    if not all(row.paper for row in rows):
        return [
            f"The paper's figures are of the whole test split of {PAPER}, which is not what was "
            "measured here, so they are left out."
        ]
    papers = read_recipe(f"{PAPER}/{BASELINE}").v2t
    return [
        "The paper, on MSR-VTT with 4096-d features, one seed. Its size counts what is not zero, "
        f"and its DE is the released model, not its own run. {_said_of(ours, papers)}",
        _table(
            ["row", "size", *_headings(papers), ruled("SumR", papers), "to DE"],
            rows,
            lambda row: _paper(row, rows[0]),
        ),
    ]


def _heads() -> list[str]:
    """Names of the figures that are shown."""
    return [f"{way} {name}" for way in WAYS for name in (*SHOWN, "SumR")]


def _headings(rule: V2tRule) -> list[str]:
    return [ruled(name, rule) for name in _heads()]


def _said_of(ours: V2tRule, papers: V2tRule) -> str:
    if ours == papers:
        return f"Video to text is ranked by the paper's rule, {papers}."
    return (
        f"Video to text is ranked by the rule {ours} here and {papers} in the paper: of the two, "
        f"only R@1 may be set against each other (--set v2t={papers} measures by the paper's)."
    )


def _table(head: Sequence[str], rows: Sequence[Row], cells: Callable[[Row], list[str]]) -> str:
    rule = ["---" if name in ("row", "strategy", "") else "--:" for name in head]
    return "\n".join([line(head), line(rule), *[line(cells(row)) for row in rows]])


def _cells(row: Row) -> list[str]:
    sizes = [f"{row.size:.3f} ({row.parameters:,})", f"{row.nonzero:.3f}"]
    return [row.name, row.what, *sizes, *_figures(row), *_totals(row)]


def _alone(row: Row) -> list[str]:
    return [row.name, row.what, *_figures(row), *_totals(row)]


def _figures(row: Row) -> list[str]:
    found = {name: shown(row.figures, name, row.remarks.trivial) for name in row.figures}
    for way in WAYS:
        for name in ("R@1", "SumR"):
            found[f"{way} {name}"] += f" ({between(row.intervals[f'{way} {name}'])})"
    return [found[name] for name in _heads()]


def _totals(row: Row) -> list[str]:
    """Sum of both directions, what it is more than DE's, and the sum of each seed."""
    total = f"{row.figures['SumR']:.1f} ({between(row.intervals['SumR'])})"
    compared = "rank by rank the same" if row.same else difference(row.against)
    if row.name in BASES:
        compared = ""
    return [total, compared, " ".join(f"{one:.1f}" for one in row.seeds)]


def _paper(row: Row, base: Row) -> list[str]:
    figures = [f"{row.paper[name]:.1f}" if name in row.paper else "-" for name in _heads()]
    more = row.paper["SumR"] - base.paper["SumR"]
    return [row.name, f"{row.paper_size:g}", *figures, f"{row.paper['SumR']:.1f}", f"{more:+.1f}"]


def _sweeps(plan: Plan, rows: Sequence[Row], held: HeldOut) -> list[Path]:
    """Curves over alpha, and over how many weights are zero, each with its figures."""
    mpl.use("Agg")
    rule = rule_of(plan)
    alphas, zeros = alpha_curves(plan, held), sparsity_curves(plan, held)
    plots = {
        "alpha.png": _alpha_plot(alphas, rule),
        "sparsity.png": _sparsity_plot(zeros, rows, rule),
    }
    for name, figure in plots.items():
        figure.savefig(plan.out / name, dpi=120, bbox_inches="tight")
    curves = {method: [asdict(row) for row in curve] for method, curve in zeros.items()}
    return [
        _write_json(plan.out / "alpha.json", {"alphas": ALPHAS, "sums of each seed": alphas}),
        _write_json(plan.out / "sparsity.json", {"amounts": AMOUNTS, **curves}),
        *[plan.out / name for name in plots],
    ]


def _alpha_plot(curves: Mapping[str, Sequence[Sums]], rule: V2tRule) -> Figure:
    """A panel for each direction and split, a line for each model and normalisation, and a dot
    where the recipe is."""
    figure = Figure(figsize=(9, 6.4), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True)
    first = next(iter(curves.values()))[0][NORMALISATIONS[0]]
    for up, part in enumerate(dict.fromkeys(name.split()[0] for name in first)):
        for across, (way, said) in enumerate(WAYS.items()):
            axes = panels[up][across]
            title = f"{said}, {part}" + (f" ({rule})" if way == "v2t" else "")
            _dress(axes, title, "alpha: weight of the latent score" if up else "", "SumR")
            for method, seeds in curves.items():
                for name, style in zip(NORMALISATIONS, ("-", "--"), strict=True):
                    mean = np.mean([sums[name][f"{part} {way}"] for sums in seeds], axis=0)
                    label = f"{NAMES[method]}, by {name}"
                    axes.plot(ALPHAS, mean, style, color=COLOURS[method], label=label)
                    if name == CHOSEN[method][0]:
                        place = ALPHAS.index(CHOSEN[method][1])
                        axes.plot(ALPHAS[place], mean[place], "o", color=COLOURS[method])
    panels[0][0].legend(frameon=False, fontsize=8)
    return figure


def _sparsity_plot(
    curves: Mapping[str, Sequence[Row]], rows: Sequence[Row], rule: V2tRule
) -> Figure:
    """SumR by the share of weights that is zero, and by what is left of the baseline."""
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    base = next(row for row in rows if row.name == "DE")
    _dress(left, "Not trained after pruning", "share of weights at zero", ruled("SumR", rule))
    _dress(right, "", "non-zeros against DE's parameters", "")
    for method, curve in curves.items():
        means = [row.figures["SumR"] for row in curve]
        low, high = np.array([row.intervals["SumR"] for row in curve]).T
        for axes, places in ((left, AMOUNTS), (right, [row.nonzero for row in curve])):
            axes.plot(places, means, "o-", color=COLOURS[method], label=NAMES[method], ms=3)
            axes.fill_between(places, low, high, color=COLOURS[method], alpha=0.15, linewidth=0)
    for axes in (left, right):
        axes.axhline(base.figures["SumR"], linestyle=":", color="grey", label="DE")
    right.axvline(0.66, linewidth=0.8, color="lightgrey", label="0.66, the paper's")
    right.legend(frameon=False, fontsize=8)
    return figure


def _dress(axes: Axes, title: str, across: str, up: str) -> None:
    axes.set(title=title, xlabel=across, ylabel=up)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def _write_json(path: Path, content: object) -> Path:
    return _write(path, json.dumps(content, indent=1) + "\n")
