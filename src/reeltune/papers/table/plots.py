"""Axes of plots, all in one style."""

from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure


def axes(title: str, across: str, up: str) -> tuple[Figure, Axes]:
    """A figure of one panel."""
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    panel = figure.add_subplot()
    dress(panel, title, across, up)
    return figure, panel


def dress(
    panel: Axes, title: str, across: str, up: str, grid: Literal["both", "x", "y"] = "both"
) -> None:
    """Give axes a title, names, a light grid and no frame to the right and above."""
    panel.set(title=title, xlabel=across, ylabel=up)
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(alpha=0.3, axis=grid)


def plain(name: str) -> str:
    """A name that is printed as it is: Matplotlib reads what stands between dollars as formulas."""
    return name.replace("$", r"\$")
