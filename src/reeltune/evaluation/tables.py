"""Draws tables for a terminal."""

from collections.abc import Mapping

from rich.markup import escape
from rich.table import Table


def titled(title: str) -> Table:
    """An empty table without lines; the title is shown as it is, not as markup."""
    return Table(
        title=escape(title), box=None, pad_edge=False, header_style="dim", title_justify="left"
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
        table.add_row(escape(name), f"{value:.1f}", f"{low:.1f} to {high:.1f}")
    return table


def figures_markdown(values: Mapping[str, float], said: str) -> list[str]:
    """One row of all figures in Markdown, and a sentence below it."""
    return [
        "| " + " | ".join(values) + " |",
        "|---" * len(values) + "|",
        "| " + " | ".join(f"{value:.1f}" for value in values.values()) + " |",
        "",
        said,
    ]
