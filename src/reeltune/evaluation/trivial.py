"""Recalls that are 100 whatever a model does, since no more than K are ranked."""

from collections.abc import Collection, Mapping

from reeltune.evaluation.bootstrap import CUTS
from reeltune.evaluation.retrieval import Report


def trivial(report: Report) -> list[str]:
    """Names of the recalls that tell nothing, such as "t2v R@10" of ten videos or fewer."""
    names = (f"{way} R@{k}" for way in ("t2v", "v2t") for k in CUTS)
    return [name for name in names if not report.tells(name)]


def trivial_said(report: Report) -> list[str]:
    """A sentence that names them, where there are some."""
    found = ", ".join(trivial(report))
    return [f"not shown, since with so few candidates they are always 100: {found}"] * bool(found)


def shown(figures: Mapping[str, float], name: str, trivial: Collection[str], way: str = "") -> str:
    """A figure as tables have it: a dash for one of the `trivial`, whose names begin with `way`."""
    return "-" if f"{way} {name}".strip() in trivial else f"{figures[name]:.1f}"
