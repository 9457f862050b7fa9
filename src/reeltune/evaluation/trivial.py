"""Figures that tell nothing, such as recalls that are 100 since no more than K are ranked."""

from collections.abc import Collection, Mapping

from reeltune.evaluation import tables
from reeltune.evaluation.report import AnyReport


def trivial(report: AnyReport) -> list[str]:
    """Names of the figures that tell nothing, such as "t2v R@10" of ten videos or fewer."""
    return [name for name in report.values() if not report.tells(name)]


def trivial_said(report: AnyReport) -> list[str]:
    """A sentence that names them, where there are some."""
    found = ", ".join(trivial(report))
    return [f"not shown, since with so few candidates they are always 100: {found}"] * bool(found)


def shown(figures: Mapping[str, float], name: str, trivial: Collection[str], way: str = "") -> str:
    """A figure as tables have it: a dash for one of the `trivial`, whose names begin with `way`."""
    return "-" if f"{way} {name}".strip() in trivial else tables.shown(name, figures[name])
