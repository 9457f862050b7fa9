"""Reports and comparisons as tables for a terminal."""

from rich.markup import escape
from rich.table import Table

from reeltune.evaluation.compare import Comparison
from reeltune.evaluation.retrieval import Report
from reeltune.tasks.captioning import CaptioningReport
from reeltune.tasks.reports import AnyReport

COLUMNS = ("R@1", "R@5", "R@10", "SumR", "MdR", "MnR", "mAP")


def report_table(report: AnyReport) -> Table:
    """Of retrieval one row a direction, then one a tagged subset, R@1 with its 95 % interval; of
    captions one row a figure."""
    if not isinstance(report, Report):
        return _caption_table(report)
    card = report.protocol
    title = f"{card.model} on {card.dataset} {card.split}: {card.queries} x {card.gallery}"
    if card.postprocessing != "none":
        title += f", after {card.postprocessing}"
    table = Table(
        title=escape(title), box=None, pad_edge=False, header_style="dim", title_justify="left"
    )
    table.add_column("")
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for way, figures in (("t2v", report.t2v), ("v2t", report.v2t)):
        label = f"v2t ({card.v2t})" if way == "v2t" else way
        table.add_row(label, *_cells(report, way, figures, report.intervals[f"{way} R@1"]))
    for name, figures in report.beside.items():
        label = f"{name} ({card.v2t})" if name.endswith("v2t") else name
        table.add_row(escape(label), *_cells(report, name, figures))
    for tag, figures in report.subsets.items():
        label = f"t2v {tag} ({figures['queries']:.0f})"
        bounds = figures["R@1 low"], figures["R@1 high"]
        table.add_row(escape(label), *_cells(report, "t2v", figures, bounds))
    return table


def _caption_table(report: CaptioningReport) -> Table:
    card = report.protocol
    most = card.references[1]
    title = f"{card.model} on {card.dataset} {card.split}: {card.clips} clips, {most} references"
    table = Table(
        title=escape(title), box=None, pad_edge=False, header_style="dim", title_justify="left"
    )
    for name in ("", "figure", "95 %"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for name, value in report.scores.items():
        low, high = report.intervals[name]
        table.add_row(escape(name), f"{value:.1f}", f"{low:.1f} to {high:.1f}")
    return table


def comparison_table(found: Comparison) -> Table:
    """One row a figure: both values, the difference with its 95 % interval, the verdict."""
    title = f"{found.a} against {found.b}"
    if found.v2t is not None:
        title += f", v2t by {found.v2t}"
    table = Table(
        title=escape(title), box=None, pad_edge=False, header_style="dim", title_justify="left"
    )
    for name in ("", "A", "B", "B - A", "95 %"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    table.add_column("")
    for name, one in found.differences.items():
        bounds = f"{one.low:+.1f} to {one.high:+.1f}"
        verdict = "[dim]inside noise[/]" if one.inside_noise else "[bold]outside noise[/]"
        row = f"{one.a:.1f}", f"{one.b:.1f}", f"{one.b - one.a:+.1f}", bounds, verdict
        table.add_row(escape(name), *row)
    return table


def _cells(
    report: Report,
    way: str,
    figures: dict[str, float],
    bounds: tuple[float, float] | None = None,
) -> list[str]:
    """Figures in the order of the columns; a dash where so few candidates make it 100 at once."""
    found = [f"{figures[name]:.1f}" if report.tells(f"{way} {name}") else "-" for name in COLUMNS]
    if bounds is not None:
        found[0] += f" [dim]({bounds[0]:.1f}-{bounds[1]:.1f})[/]"
    return found
