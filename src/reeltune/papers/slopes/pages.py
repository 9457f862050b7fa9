"""Shows what MELTR learned, as plots and JSON."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from rich.table import Table
from rich.text import Text

from reeltune.papers.slopes.read import Epoch, Melted, WeightedSum
from reeltune.papers.slopes.surface import Surface
from reeltune.papers.table.plots import dress
from reeltune.papers.table.written import write_files

COLUMNS = 4  # panels of responses in a row


def write_pages(found: Melted, out: Path, other: Melted | None = None) -> list[Path]:
    """Write `losses.json` and the plots; with `other`, slopes of both runs stand beside each
    other."""
    facts = found.as_dict() | ({"beside": other.as_dict()} if other else {})
    plots = {"slopes.png": slopes_plot([found, *([other] if other else [])])}
    plots["ranges.png"] = ranges_plot(found)
    if found.response:
        plots["response.png"] = response_plot(found)
    if found.weighted_sum is not None:
        plots["weighted-sum.png"] = weighted_sum_plot(found, found.weighted_sum)
    if found.surface is not None:
        plots["surface.png"] = surface_plot(found.surface)
    return write_files(out, {"losses.json": facts}, plots)


def slopes_table(found: Melted) -> Table:
    """Slopes of each loss in the first and the last epoch, for a terminal."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("dL_aux / dl_t", no_wrap=True)
    for name in ("first epoch", "last epoch", "middle 80 %", "below 0"):
        table.add_column(name, justify="right", no_wrap=True)
    steps = sum(one.steps for one in found.epochs)
    for task in found.tasks:
        first, last = (one.slopes[task] for one in (found.epochs[0], found.epochs[-1]))
        below = sum(one.steps * one.slopes[task].negative for one in found.epochs) / steps
        middle = f"{last.low:.3g} to {last.high:.3g}"
        is_primary = task == found.primary
        loss = Text.assemble((task, "bold"), " (primary)") if is_primary else task
        table.add_row(loss, f"{first.mean:.3g}", f"{last.mean:.3g}", middle, f"{below:.0%}")
    return table


def slopes_plot(runs: Sequence[Melted]) -> Figure:
    """Slope of each loss by epoch, a panel for each run; the primary one in black."""
    figure = Figure(figsize=(6.4 * len(runs), 4.2), layout="constrained")
    panels = figure.subplots(1, len(runs), sharey=True, squeeze=False)[0]
    for axes, run in zip(panels, runs, strict=True):
        dress(axes, run.run if len(runs) > 1 else "", "epoch", "dL_aux / dl_t")
        for task in run.tasks:
            _slope_line(axes, run.epochs, task, task == run.primary)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if any(slopes.low < 0 for one in run.epochs for slopes in one.slopes.values()):
            axes.axhline(0, color="grey", linewidth=0.8)
    panels[-1].legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _slope_line(axes: Axes, epochs: Sequence[Epoch], task: str, is_primary: bool) -> None:
    places = [one.epoch for one in epochs]
    slopes = [one.slopes[task] for one in epochs]
    style = {"color": "black", "linewidth": 2.0} if is_primary else {"linewidth": 1.2}
    label = f"{task} (primary)" if is_primary else task
    (line,) = axes.plot(places, [s.mean for s in slopes], label=label, **style)
    low, high = [s.low for s in slopes], [s.high for s in slopes]
    axes.fill_between(places, low, high, color=line.get_color(), alpha=0.12, linewidth=0)


def ranges_plot(found: Melted) -> Figure:
    """A panel for each loss: its mean by epoch, the middle 80 % of the steps, and all of them."""
    figure, panels = _panels(found.tasks)
    places = [one.epoch for one in found.epochs]
    for axes, task in zip(panels, found.tasks, strict=True):
        ranges = [one.ranges[task] for one in found.epochs]
        dress(axes, f"{task} (primary)" if task == found.primary else task, "epoch", "l_t")
        axes.fill_between(
            places, [r.least for r in ranges], [r.most for r in ranges], alpha=0.15, linewidth=0
        )
        axes.fill_between(
            places,
            [r.low for r in ranges],
            [r.high for r in ranges],
            color="tab:blue",
            alpha=0.3,
            linewidth=0,
        )
        axes.plot(places, [one.losses[task] for one in found.epochs], color="tab:blue")
        axes.set_ylim(bottom=min(0.0, *(r.least for r in ranges)))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def surface_plot(found: Surface) -> Figure:
    """Left, the melted loss over two losses; right, their sum with the others, which is flat."""
    figure = Figure(figsize=(9.6, 3.9), layout="constrained")
    x, y = np.meshgrid(found.x, found.y)
    for place, (title, z) in enumerate({"MELTR": found.melted, "sum": found.summed}.items(), 1):
        axes: Any = figure.add_subplot(1, 2, place, projection="3d")
        axes.plot_surface(x, y, np.array(z), cmap="viridis", linewidth=0)
        axes.set(title=title, xlabel=found.across, ylabel=found.up)
        axes.set_zlabel("L_aux", labelpad=8)
        axes.set_box_aspect(None, zoom=0.85)
    return figure


def _panels(tasks: Sequence[str]) -> tuple[Figure, list[Axes]]:
    """A figure with a panel for each loss, a few in a row."""
    rows, across = -(-len(tasks) // COLUMNS), min(COLUMNS, len(tasks))
    figure = Figure(figsize=(3.4 * across, 2.9 * rows), layout="constrained")
    panels = list(figure.subplots(rows, across, squeeze=False).flat)
    for axes in panels[len(tasks) :]:
        axes.set_visible(False)
    return figure, panels[: len(tasks)]


def response_plot(found: Melted) -> Figure:
    """A panel for each loss: the melted loss and its slope as that loss varies."""
    figure, panels = _panels(tuple(found.response))
    for axes, (task, one) in zip(panels, found.response.items(), strict=True):
        dress(axes, task, "l_t", "L_aux")
        axes.axvspan(*one.seen, color="grey", alpha=0.15, linewidth=0)
        axes.plot(one.loss, one.melted, color="tab:blue")
        axes.tick_params("y", colors="tab:blue")
        beside = axes.twinx()
        beside.plot(one.loss, one.slope, "--", color="tab:orange")
        beside.tick_params("y", colors="tab:orange")
        beside.set_ylabel("dL_aux / dl_t")
        beside.spines["top"].set_visible(False)
    return figure


def weighted_sum_plot(found: Melted, nearest: WeightedSum) -> Figure:
    """Left, what MELTR learned against its best weighted sum; right, slopes against weights."""
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    what = "L_aux - sum of losses" if found.residual else "L_aux"
    title = f"{100 * nearest.explained:.1f} % of the variance explained"
    dress(left, title, f"{what}, by the nearest weighted sum", f"{what}, by MELTR")
    left.plot(nearest.fitted, nearest.learned, ".", alpha=0.4)
    ends = [min(nearest.fitted), max(nearest.fitted)]
    left.plot(ends, ends, color="grey", linewidth=0.8)
    last = {task: one.mean for task, one in found.epochs[-1].slopes.items()}
    _bars(right, {"MELTR, mean slope of the last epoch": last, "weighted sum": nearest.weights})
    return figure


def _bars(axes: Axes, named: Mapping[str, Mapping[str, float]]) -> None:
    tasks = list(next(iter(named.values())))
    places, width = np.arange(len(tasks)), 0.8 / len(named)
    for number, (label, values) in enumerate(named.items()):
        axes.barh(places + number * width, [values[t] for t in tasks], width, label=label)
    dress(axes, "", "slope, weight", "")
    axes.set_yticks(places + 0.4 - width / 2, tasks)
    axes.invert_yaxis()
    axes.axvline(0, color="grey", linewidth=0.8)
    axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.12))
