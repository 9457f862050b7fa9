"""Shows a plan: a row for what was asked and for each power of ten, and what they stand on."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

COLUMNS = {  # of a plan, by what the table calls them
    "moments": "moments",
    "hours": "hours of video",
    "core_hours": "core hours",
    "gpu_hours": "GPU hours",
    "build_core_hours": "index, core hours",
    "days": "days",
    "storage_gb": "GB",
    "index_gb": "index, GB",
    "shards": "shards",
    "p50_ms": "p50, ms",
    "p99_ms": "p99, ms",
    "cost": "cost",
    "storage_cost_year": "storage a year",
}


def plan_table(found: Mapping[str, Any]) -> Table:
    """What was asked in the first row, below it the powers of ten."""
    table = Table(*COLUMNS.values(), title="asked for first, then by moments")
    for row in (found["asked"], *found["table"]):
        table.add_row(*(number(row[name]) for name in COLUMNS))
    return table


def plan_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The formulas, the constants with their sources, and the assumptions with their options."""
    yield "formulas:"
    for name, formula in found["formulas"].items():
        yield f"  {name} = {formula}"
    yield "constants:"
    for name, one in found["constants"].items():
        yield f"  {name} = {one['value']:g} {one['unit']} ({one['kind']}: {one['source']})"
    yield "inputs, whose defaults are assumptions:"
    for name, value in found["inputs"].items():
        yield f"  --{name.replace('_', '-')} {'none' if value is None else f'{value}'}"


def number(value: float) -> str:
    """Three digits that count, and commas."""
    if value >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"
