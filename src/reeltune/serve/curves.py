"""Draws the curves of a run as SVG, for light and for dark pages."""

import io
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np

from reeltune.serve.training_runs import numbers_of

Curve = Literal["loss", "validation", "rate"]
CURVES: tuple[Curve, ...] = get_args(Curve)
Lines = Sequence[Mapping[str, Any]]  # of a log
Series = dict[str, tuple[list[float], list[float]]]  # by name: numbers of steps, and figures
POINTS = 400  # of a line; those between are drawn as their mean
SERIES = 8  # lines of a panel
NAME = 40  # letters
COLOURS = ("#2f7fd1", "#e07b00", "#1f9d6b", "#c4508f", "#8a6fd1", "#b8860b", "#4aa3b8", "#d1483e")
SHOWN = {"loss": "Loss", "validation": "Validation", "rate": "Learning rate"}
INK = {False: "#3c4043", True: "#c9ced6"}  # by whether the page is dark
LOCK = threading.Lock()  # Matplotlib's settings are those of the process


def series_of(lines: Lines, curve: Curve) -> Series:
    """The lines of a panel: the losses and the rates of steps, the figures of epochs."""
    kind = "epoch" if curve == "validation" else "step"
    found: Series = {}
    for number, line in enumerate((line for line in lines if line["kind"] == kind), 1):
        figures = numbers_of(dict(line))
        step = figures.pop("step", float(number))
        for name, value in figures.items():
            if _belongs(name, curve):
                steps, values = found.setdefault(name, ([], []))
                steps.append(step)
                values.append(value)
    recalls = {name: both for name, both in found.items() if name.endswith("R@1")}
    chosen = recalls if curve == "validation" and recalls else found
    return dict(list(chosen.items())[:SERIES])


def _belongs(name: str, curve: Curve) -> bool:
    from reeltune.objectives.named import IN_THE_LOG  # late, as torch comes with it

    is_rate = name == "lr" or name.startswith("lr ")
    if curve == "rate":
        return is_rate
    if curve == "validation":
        return name != "epoch"
    return name == "loss" or not (is_rate or name in IN_THE_LOG)


def said(series: Series, curve: Curve) -> str:
    """The curves in one sentence, for those who do not see them."""
    lines = [
        f"{name} from {values[0]:.4g} to {values[-1]:.4g}" for name, (_, values) in series.items()
    ]
    return f"{SHOWN[curve]} by step: {'; '.join(lines)}"


def drawn(series: Series, curve: Curve, dark: bool) -> bytes:
    """The SVG of a panel, without a background."""
    import matplotlib as mpl  # late, as few servers show curves
    from matplotlib.figure import Figure
    from matplotlib.rcsetup import cycler

    ink = INK[dark]
    style: Any = {
        "text.color": ink,
        "axes.edgecolor": ink,
        "axes.labelcolor": ink,
        "xtick.color": ink,
        "ytick.color": ink,
        "text.parse_math": False,
        "font.size": 8.0,  # points, of which pages show one as 1.0 to 1.6 pixels
        "svg.hashsalt": "reeltune",
        "axes.prop_cycle": cycler(color=COLOURS),
    }
    written = io.BytesIO()
    with LOCK, mpl.rc_context(style):
        figure = Figure(figsize=(5.0, 2.5), layout="constrained")
        panel = figure.add_subplot()
        for name, (steps, values) in series.items():
            shape = "o-" if len(steps) == 1 else "-"
            panel.plot(*_thinned(steps, values), shape, label=_label(name), linewidth=1.6)
        panel.set(xlabel="step", ylabel=SHOWN[curve].lower())
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(alpha=0.25)
        panel.legend(frameon=False)
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    return written.getvalue()


def _thinned(steps: list[float], values: list[float]) -> tuple[list[float], list[float]]:
    """At most `POINTS` points, each the mean of those that it stands for."""
    if len(steps) <= POINTS:
        return steps, values
    return _means(steps), _means(values)


def _means(values: list[float]) -> list[float]:
    return [float(np.mean(part)) for part in np.array_split(values, POINTS)]


def _label(name: str) -> str:
    """A name as a legend has it; Matplotlib leaves out those that begin with a bar."""
    plain = "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in name)
    return plain[:NAME].lstrip("_") or "?"
