"""The table of VoP: every method on one benchmark, and how many layers see single frames."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from matplotlib.figure import Figure

from reeltune.evaluation.retrieval import Report
from reeltune.models.opening.count import count_parameters
from reeltune.papers.table.contract import Beside, Found, Said, Section, Table
from reeltune.papers.table.draws import Difference, Sample, subset_of
from reeltune.papers.table.entry import Entry
from reeltune.papers.table.markdown import Column, Grid, between, difference, ruled
from reeltune.papers.table.plan import Job, Plan, passed_on, recipe_of
from reeltune.papers.table.plots import axes, plain
from reeltune.papers.table.row import Row
from reeltune.papers.table.seconds import clips_of, steps_seconds
from reeltune.runs.finished import METRICS
from reeltune.training.log import read_log

METHODS = {  # as the paper prints them
    "zero-shot": "zero-shot",
    "full": "Full",
    "bias": "Bias",
    "proj": "Proj",
    "partial": "Partial",
    "adapter-attn": r"Adapter\_ATTN",
    "adapter-ffn": r"Adapter\_FFN",
    "lora": "LoRA",
    "vop": "VoP",
    "vop-p": "VoP^P",
    "vop-c": "VoP^C",
    "vop-f": "VoP^F",
    "vop-fp": "VoP^{F+P}",
    "vop-fc": "VoP^{F+C}",
}
CLIPS_OWN = ("full", "bias", "proj", "partial", "zero-shot")  # train nothing that is added to CLIP
COMPARED = ("zero-shot", "full", "vop")
R1 = "t2v R@1"


def _sections(plan: Plan) -> list[Section]:
    return [
        Section(
            name="rows",
            entries=[Entry(name=name, method=name) for name in METHODS],
            compared=(R1,),
            against={name: name for name in COMPARED},
            count=_count,
            page=_page,
            fields=_fields,
        )
    ]


def _count(plan: Plan, row: Row) -> dict[str, Any]:
    """Parameters, the mean time of a run's training steps, and figures of tagged subsets."""
    recipe = row.entry.recipe(plan)
    with torch.device("meta"):
        counted = count_parameters(recipe.model_config_of().build())
    clips = clips_of(recipe.training)
    seconds = [steps_seconds(read_log(folder), clips) for folder in row.folders]
    reports = [cast(Report, report) for report in row.reports]
    return {
        "trainable": counted["trainable"],
        "total": counted["total"],
        "seconds": sum(seconds) / len(seconds),
        "subsets": {tag: subset_of(reports, tag) for tag in reports[0].subsets},
    }


def _page(found: Found) -> list[Grid | str]:
    """The figures, and differences from full tuning and from plain VoP."""
    tags = list(found.rows[0].facts["subsets"])
    return [
        Grid(_figures_columns(found, tags), found.rows),
        "Differences of t2v R@1 with 95 % intervals; those that contain 0 are noise.",
        Grid(_differences_columns(tags), found.rows),
    ]


def _figures_columns(found: Found, tags: Sequence[str]) -> list[Column]:
    def subset(tag: str) -> Column:
        def cell(row: Row) -> str:
            one = row.facts["subsets"][tag]
            return f"{one.means[R1]:.1f} ({between(R1, one.intervals[R1])})"

        return Column(f"{tag} R@1", cell)

    def mean(head: str, name: str) -> Column:
        return Column(head, lambda row: row.shown(name))

    return [
        METHOD,
        Column("trainable", lambda row: f"{row.facts['trainable']:,}"),
        Column("%", lambda row: f"{_share(row):.2f}"),
        mean(R1, R1),
        Column("95 %", lambda row: between(R1, row.sample.intervals[R1])),
        *[mean(name, f"t2v {name}") for name in ("R@5", "R@10", "MdR", "MnR")],
        mean(ruled("v2t R@1", found.rule), "v2t R@1"),
        *map(subset, tags),
        Column("s", lambda row: f"{row.facts['seconds']:.0f}"),
        Column("paper R@1", lambda row: f"{row.paper[R1]:.1f}" if R1 in row.paper else "-"),
    ]


METHOD = Column("method", lambda row: f"`{row.name}`")


def _share(row: Row) -> float:
    """The share of trained parameters, in percent of the CLIP below."""
    trainable, total = row.facts["trainable"], row.facts["total"]
    return float(100 * trainable / (total - (0 if row.name in CLIPS_OWN else trainable)))


def _differences_columns(tags: Sequence[str]) -> list[Column]:
    def to(label: str, tag: str | None = None) -> Column:
        head = f"to {label}" if tag is None else f"{tag}, to {label}"
        return Column(head, lambda row: difference(R1, _less(row, label, tag)))

    whole = [to(label) for label in COMPARED]
    return [METHOD, *whole, *[to(label, tag) for tag in tags for label in COMPARED]]


def _less(row: Row, label: str, tag: str | None) -> Difference | None:
    """R@1 less that of another method, on a subset if a tag is given."""
    if tag is None or label not in row.others:
        return row.less(label, R1)
    own, other = (one.facts["subsets"][tag] for one in (row, row.others[label]))
    return cast(Sample, own).less(cast(Sample, other), R1)


def _fields(found: Found, row: Row) -> dict[str, Any]:
    """Figures of each direction, R@1 of each tag, and differences of R@1 to other methods."""
    means, counted = row.sample.means, row.facts
    subsets: dict[str, Sample] = counted["subsets"]
    ways = {
        way: {n.removeprefix(f"{way} "): v for n, v in means.items() if n.startswith(f"{way} ")}
        for way in ("t2v", "v2t")
    }
    return {
        "method": row.name,
        "trainable": counted["trainable"],
        "total": counted["total"],
        **ways,
        "interval": row.sample.intervals[R1],
        "subsets": {t: (one.means[R1], one.intervals[R1]) for t, one in subsets.items()},
        "against": {label: row.less(label, R1) for label in row.others},
        "subsets_against": {
            tag: {label: _less(row, label, tag) for label in row.others} for tag in subsets
        },
        "paper": {name.removeprefix("t2v "): value for name, value in row.paper.items()},
        "seconds": counted["seconds"],
        "remarks": vars(row.remarks),
    }


def _sweep(plan: Plan) -> list[Job]:
    return list(sweep_of(plan).values())


def sweep_of(plan: Plan, seed: int = 0) -> dict[int, Job]:
    """Runs of VoP^F for every K_s, the number of layers that see single frames."""
    config = recipe_of(plan, "vop-f").model_config_of()
    depth = config.skeleton().towers.config.vision_config.num_hidden_layers
    found = {}
    for after in range(depth + 1):
        prompts = [part.model_dump(mode="json") for part in config.prompts]
        prompts = [{**p, "after": after} if p["kind"] == "joint" else p for p in prompts]
        own = {"config.prompts": prompts}
        changes = tuple(passed_on(plan, "vop-f", own).items())
        found[after] = Job("vop-f", seed, plan.out / "sweep" / f"after{after}", changes)
    return found


def _beside(found: Sequence[Found], sweep: bool, said: Said) -> Beside:
    """The plots, with that of the sweep if it was run."""
    (one,) = found
    plots = {
        "parameters.png": _parameters_plot(one.rows),
        "curves.png": _curves_plot(one.rows),
        "after.png": _sweep_plot(one.plan),
    }
    return Beside(plots={name: figure for name, figure in plots.items() if figure is not None})


def _parameters_plot(rows: Sequence[Row]) -> Figure:
    """Plot R@1 against trained parameters; zero-shot is a line, because it trains nothing."""
    figure, panel = axes("Text-to-video R@1 by what is trained", "trainable parameters", "R@1, %")
    for row in rows:
        mean, (low, high) = row.sample.means[R1], row.sample.intervals[R1]
        trainable = row.facts["trainable"]
        if not trainable:
            panel.axhline(mean, linestyle=":", color="grey", label=plain(row.name))
            continue
        error = [[max(mean - low, 0)], [max(high - mean, 0)]]
        colour = "tab:blue" if row.name.startswith("vop") else "tab:grey"
        panel.errorbar(trainable, mean, error, fmt="o", color=colour, capsize=2, markersize=4)
        place = (trainable, mean)
        panel.annotate(_printed(row.name), place, (5, 4), textcoords="offset points", fontsize=8)
    panel.set_xscale("log")
    panel.legend(frameon=False)
    return figure


def _printed(name: str) -> str:
    """A method's name as the paper prints it, or its own name if the paper lacks it."""
    return rf"$\mathrm{{{METHODS[name]}}}$" if name in METHODS else plain(name)


def _curves_plot(rows: Sequence[Row]) -> Figure | None:
    """Plot R@1 of validation by optimizer step, for the first seed of each method that was
    validated."""
    curves = {row.name: _curve(row.folders[0]) for row in rows}
    if not any(curves.values()):
        return None
    figure, panel = axes("Validation while training, seed 0", "optimizer step", "t2v R@1, %")
    for method, points in curves.items():
        if points:
            style = "-" if method.startswith("vop") else ":"
            panel.plot(*zip(*points, strict=True), style, label=plain(method), linewidth=1.2)
    panel.legend(frameon=False, fontsize=7, ncols=2)
    return figure


def _curve(folder: Path) -> list[tuple[int, float]]:
    return [
        (int(line["step"]), float(line[R1]))
        for line in read_log(folder)
        if line["kind"] == "epoch" and R1 in line
    ]


def _sweep_plot(plan: Plan) -> Figure | None:
    """Plot R@1 against K_s, if the sweep was run."""
    runs = {after: job.folder / METRICS for after, job in sweep_of(plan).items()}
    points = {after: Report.read(path) for after, path in runs.items() if path.is_file()}
    if not points:
        return None
    figure, panel = axes(
        "VoP^F by how many layers see single frames, seed 0", "K_s, layers", "R@1, %"
    )
    panel.plot(list(points), [one.t2v["R@1"] for one in points.values()], "o-", label="all")
    for tag in next(iter(points.values())).subsets:
        found = [report.subsets[tag]["R@1"] for report in points.values()]
        panel.plot(list(points), found, "s--", label=tag)
    panel.set_xticks(list(points))
    panel.legend(frameon=False)
    return figure


TABLE = Table(
    said="intervals by bootstrap over test videos and seeds. Trainable in percent of the CLIP "
    "below it; s is the time of a run's training steps.",
    sections=_sections,
    sweep=_sweep,
    beside=_beside,
    takes_own=True,
)
