"""Reports what compression was worth: size on disk, parameters, non-zeros, latency, accuracy.

Three ratios that are often taken for one another stand side by side: non-zeros count weights,
size counts bytes, and time is what it takes, which zeros alone do not change.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Row:
    """One form of a model."""

    name: str
    size: int  # bytes on disk
    parameters: int
    nonzeros: int
    milliseconds: tuple[float, ...] = ()  # of each timed call, interleaved with the other rows'
    accuracy: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """Forms of one model; the first is the baseline that the others are divided by."""

    rows: tuple[Row, ...]

    def as_dict(self) -> list[dict[str, Any]]:
        """One plain dict a row, with ratios; `time_ratio` is the median of paired ratios."""
        base = self.rows[0]
        return [
            {
                **{k: v for k, v in asdict(row).items() if k != "milliseconds"},
                "size_ratio": row.size / base.size,
                "nonzero_ratio": row.nonzeros / base.parameters,
                **(_times(row, base) if row.milliseconds else {}),
            }
            for row in self.rows
        ]

    def text(self) -> str:
        """The report as a table in Markdown."""
        plain = self.as_dict()
        figures = list(dict.fromkeys(name for row in plain for name in row["accuracy"]))
        timed = any("median_ms" in row for row in plain)
        head = ["", "size, MB", "ratio", "parameters", "non-zeros", "ratio"]
        head += ["latency, ms", "ratio"] * timed + figures
        lines = ["| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1)]
        for row in plain:
            cells = [row["name"], f"{row['size'] / 1e6:.2f}", f"{row['size_ratio']:.3f}"]
            cells += [f"{row['parameters']:,}", f"{row['nonzeros']:,}"]
            cells += [f"{row['nonzero_ratio']:.4f}"]
            cells += _time_cells(row) if timed else []
            cells += [f"{row['accuracy'][k]:.1f}" if k in row["accuracy"] else "" for k in figures]
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines)


def _times(row: Row, base: Row) -> dict[str, Any]:
    """Median and quartiles of times, and of the ratios to the baseline's call made beside each
    call."""
    low, middle, high = _quartiles(row.milliseconds)
    times = {"median_ms": middle, "quartiles_ms": [low, high]}
    if not base.milliseconds:
        return times
    pairs = zip(row.milliseconds, base.milliseconds, strict=True)
    low, middle, high = _quartiles([own / other for own, other in pairs])
    return {**times, "time_ratio": middle, "time_ratio_quartiles": [low, high]}


def _time_cells(row: dict[str, Any]) -> list[str]:
    if "median_ms" not in row:
        return ["", ""]
    low, high = row["quartiles_ms"]
    ratio = f"{row['time_ratio']:.3f}" if "time_ratio" in row else ""
    return [f"{row['median_ms']:.1f} ({low:.1f}-{high:.1f})", ratio]


def _quartiles(values: Any) -> tuple[float, float, float]:
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def latencies(
    calls: Mapping[str, Callable[[], object]],
    repeats: int = 15,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, tuple[float, ...]]:
    """Milliseconds of each call, `repeats` times in turn, so that a busy moment hits all alike.

    Each call is made once before the clock runs. On a machine that others use, `time.process_time`
    with one thread counts this process's work alone.
    """
    for call in calls.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            start = clock()
            call()
            times[name].append(1000 * (clock() - start))
    return {name: tuple(values) for name, values in times.items()}
