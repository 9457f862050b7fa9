"""Draws tables for a terminal."""

from collections.abc import Mapping

from rich.table import Table

USUAL_WIDTH = 80  # of a terminal, in letters
FINE = ("MAE", "Corr")  # figures that are told by three decimals; all others are percentages or so


def shown(figure: str, value: float, sign: str = "") -> str:
    """The value of a figure as people are shown it; `sign` is "+" for a difference."""
    return f"{value:{sign}.{3 if figure in FINE else 1}f}"


def titled(title: str) -> Table:
    """An empty table without lines; the title is in one line where a terminal of the usual width
    has room for it."""
    return Table(
        title=title,
        box=None,
        pad_edge=False,
        header_style="dim",
        title_justify="left",
        min_width=min(len(title), USUAL_WIDTH),
    )


def figures_table(
    title: str, values: Mapping[str, float], intervals: Mapping[str, tuple[float, float]]
) -> Table:
    """One row a figure, with its 95 % interval."""
    table = titled(title)
    for name in ("", "figure", "95 %"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for name, value in values.items():
        low, high = intervals[name]
        table.add_row(name, shown(name, value), f"{shown(name, low)} to {shown(name, high)}")
    return table


def figures_markdown(values: Mapping[str, float], said: str) -> list[str]:
    """One row of all figures in Markdown, and a sentence below it."""
    return [
        "| " + " | ".join(values) + " |",
        "|---" * len(values) + "|",
        "| " + " | ".join(shown(name, value) for name, value in values.items()) + " |",
        "",
        said,
    ]
