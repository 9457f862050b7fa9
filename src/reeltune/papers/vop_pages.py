"""A table as Markdown, as JSON and as plots."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reeltune.evaluation.protocols import V2tRule
from reeltune.evaluation.remarks import Remarks, all_said
from reeltune.evaluation.retrieval import Report
from reeltune.evaluation.trivial import shown
from reeltune.papers.table.missing import train_missing
from reeltune.papers.vop import (
    Bounds,
    Made,
    Plan,
    Row,
    curves_of,
    jobs_of,
    rows_of,
    rule_of,
    sweep_of,
)
from reeltune.runs.finished import METRICS

PAPER_NAMES = {
    "zero-shot": "zero-shot",
    "full": "Full",
    "bias": "Bias",
    "proj": "Proj",
    "partial": "Partial",
    "adapter-attn": "Adapter_ATTN",
    "adapter-ffn": "Adapter_FFN",
    "lora": "LoRA",
    "vop": "VoP",
    "vop-p": "VoP^P",
    "vop-c": "VoP^C",
    "vop-f": "VoP^F",
    "vop-fp": "VoP^{F+P}",
    "vop-fc": "VoP^{F+C}",
}


def make_table(plan: Plan, sweep: bool, said: Callable[[str], None]) -> Made:
    """Train what is missing, and write the table."""
    wanted = [*jobs_of(plan), *(sweep_of(plan).values() if sweep else [])]
    train_missing(plan, wanted, said)
    rows = rows_of(plan)
    incomplete = any(row.remarks.incomplete for row in rows)
    return Made(markdown(plan, rows), write_pages(plan, rows), incomplete)


def write_pages(plan: Plan, rows: Sequence[Row]) -> list[Path]:
    """`table.md`, `table.json` and the plots, in the folder of the table."""
    mpl.use("Agg")
    pages = {"table.md": markdown(plan, rows), "table.json": _json(rows, rule_of(plan))}
    for name, text in pages.items():
        (plan.out / name).write_text(text, encoding="utf-8")
    plots = {"parameters.png": _parameters(rows)}
    found = {"curves.png": _curves(curves_of(plan)), "after.png": _sweep(plan)}
    plots |= {name: figure for name, figure in found.items() if figure is not None}
    for name, figure in plots.items():
        figure.savefig(plan.out / name, dpi=120, bbox_inches="tight")
    return [plan.out / name for name in (*pages, *plots)]


def markdown(plan: Plan, rows: Sequence[Row]) -> str:
    """The figures, and differences to full tuning and to plain VoP."""
    tags = list(rows[0].subsets)
    head = ["method", "trainable", "%", "t2v R@1", "95 %", "R@5", "R@10", "MdR", "MnR"]
    head += [ruled("v2t R@1", rule_of(plan)), *[f"{tag} R@1" for tag in tags], "s", "paper R@1"]
    lines = [line(head), line(["---", *["--:" for _ in head[1:]]])]
    lines += [line(_cells(row, tags)) for row in rows]
    lines += ["", "Differences of t2v R@1 with 95 % intervals; those that contain 0 are noise.", ""]
    others = [name for name in ("zero-shot", "full", "vop") if any(name in r.against for r in rows)]
    head = ["method", *[f"to {name}" for name in others]]
    head += [f"{tag}, to {name}" for tag in tags for name in others]
    lines += [line(head), line(["---", *["--:" for _ in head[1:]]])]
    lines += [line(_differences(row, tags, others)) for row in rows]
    return "\n".join([*_title(plan), "", *lines, "", *noted([row.remarks for row in rows])])


def noted(remarks: Sequence[Remarks]) -> list[str]:
    """What must be said below a table, as a list in Markdown."""
    return [f"- {sentence}" for sentence in all_said(remarks)]


def _title(plan: Plan) -> list[str]:
    return [
        f"# {plan.family} on {plan.benchmark}",
        "",
        f"Means of {plan.seeds} seeds; intervals by bootstrap over test videos and seeds. "
        "Trainable in percent of the CLIP below it; s is the time of a run's training steps.",
    ]


def _cells(row: Row, tags: Sequence[str]) -> list[str]:
    share = 100 * row.trainable / (row.total - _added(row))
    known = row.remarks.trivial
    figures = [shown(row.t2v, name, known, "t2v") for name in ("R@5", "R@10", "MdR", "MnR")]
    return [
        f"`{row.method}`",
        f"{row.trainable:,}",
        f"{share:.2f}",
        f"{row.t2v['R@1']:.1f}",
        between(row.interval),
        *figures,
        f"{row.v2t['R@1']:.1f}",
        *[f"{row.subsets[tag][0]:.1f} ({between(row.subsets[tag][1])})" for tag in tags],
        f"{row.seconds:.0f}",
        f"{row.paper['R@1']:.1f}" if "R@1" in row.paper else "-",
    ]


def _added(row: Row) -> int:
    """Trained parameters that are not the CLIP's own."""
    own = ("full", "bias", "proj", "partial", "zero-shot")
    return 0 if row.method in own else row.trainable


def _differences(row: Row, tags: Sequence[str], others: Sequence[str]) -> list[str]:
    found = [difference(row.against.get(name)) for name in others]
    subsets = (row.subsets_against[tag].get(name) for tag in tags for name in others)
    return [f"`{row.method}`", *found, *[difference(one) for one in subsets]]


def difference(found: tuple[float, Bounds] | None) -> str:
    """With its interval."""
    return "" if found is None else f"{found[0]:+.1f} ({found[1][0]:+.1f} to {found[1][1]:+.1f})"


def ruled(name: str, rule: V2tRule) -> str:
    """The heading of a figure: where video to text is in it, with the rule that ranked it."""
    if name == "SumR":  # of both directions
        return f"SumR (v2t {rule})"
    return f"{name} ({rule})" if name.startswith("v2t ") else name


def between(bounds: Bounds) -> str:
    """An interval."""
    return f"{bounds[0]:.1f}-{bounds[1]:.1f}"


def line(cells: Sequence[str]) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def _json(rows: Sequence[Row], rule: V2tRule) -> str:
    return json.dumps({"v2t": rule, "rows": [asdict(row) for row in rows]}, indent=1) + "\n"


def _axes(title: str, across: str, up: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.4, 4.2))
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=across, ylabel=up)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
    return figure, axes


def _parameters(rows: Sequence[Row]) -> Figure:
    """R@1 against what is trained; zero-shot is a line, for it trains nothing."""
    figure, axes = _axes("Text-to-video R@1 by what is trained", "trainable parameters", "R@1, %")
    for row in rows:
        mean = row.t2v["R@1"]
        if not row.trainable:
            axes.axhline(mean, linestyle=":", color="grey", label=row.method)
            continue
        error = [[max(mean - row.interval[0], 0)], [max(row.interval[1] - mean, 0)]]
        colour = "tab:blue" if row.method.startswith("vop") else "tab:grey"
        axes.errorbar(row.trainable, mean, error, fmt="o", color=colour, capsize=2, markersize=4)
        written = PAPER_NAMES.get(row.method, row.method).replace("_", r"\_")
        name = rf"$\mathrm{{{written}}}$"
        axes.annotate(name, (row.trainable, mean), (5, 4), textcoords="offset points", fontsize=8)
    axes.set_xscale("log")
    axes.legend(frameon=False)
    return figure


def _curves(curves: Mapping[str, Sequence[tuple[int, float]]]) -> Figure | None:
    """R@1 of validation by step, where there was a validation."""
    if not any(curves.values()):
        return None
    figure, axes = _axes("Validation while training, seed 0", "optimizer step", "t2v R@1, %")
    for method, points in curves.items():
        if points:
            style = "-" if method.startswith("vop") else ":"
            axes.plot(*zip(*points, strict=True), style, label=method, linewidth=1.2)
    axes.legend(frameon=False, fontsize=7, ncols=2)
    return figure


def _sweep(plan: Plan) -> Figure | None:
    """R@1 against K_s, where the sweep was run."""
    if "vop-f" not in plan.methods():
        return None
    points = {}
    for after, job in sweep_of(plan).items():
        if (job.folder / METRICS).is_file():
            points[after] = Report.read(job.folder / METRICS)
    if not points:
        return None
    figure, axes = _axes(
        "VoP^F by how many layers see single frames, seed 0", "K_s, layers", "R@1, %"
    )
    axes.plot(list(points), [r.t2v["R@1"] for r in points.values()], "o-", label="all")
    for tag in next(iter(points.values())).subsets:
        found = [report.subsets[tag]["R@1"] for report in points.values()]
        axes.plot(list(points), found, "s--", label=tag)
    axes.set_xticks(list(points))
    axes.legend(frameon=False)
    return figure
