"""Decides whether a paper's figures may stand beside ours."""

from collections.abc import Mapping

from reeltune.evaluation.report import AnyReport
from reeltune.recipes.read import FIGURES


def figures_of(
    expected: Mapping[str, float], expected_v2t: Mapping[str, float] | None = None
) -> dict[str, float]:
    """A paper's figures as a recipe has them, named as ours are, such as "t2v R@1"."""
    t2v = {f"t2v {name}" if name in FIGURES else name: v for name, v in expected.items()}
    return {**t2v, **{f"v2t {name}": value for name, value in (expected_v2t or {}).items()}}


def paper_beside(
    expected: dict[str, float], test_hash: str, report: AnyReport
) -> tuple[dict[str, float], tuple[str, ...]]:
    """The `expected` figures of a paper if the measured split is the published one, and remarks
    about it.

    The published one is known by the hash of its captions; where that is "", by size alone.
    Where the data differ from the benchmark's, the card of the report says so, and nothing else is
    to be said.
    """
    card = report.protocol
    if card.differs or not expected:
        return {}, ()
    if not is_published(test_hash, report):
        return {}, (f"the paper's figures are not set beside these: {_unlike(test_hash, report)}",)
    if not test_hash:
        return expected, (
            "the paper's test split is known by its size alone, not caption by caption",
        )
    return expected, ()


def is_published(test_hash: str, report: AnyReport) -> bool:
    """Whether a report is of the test split that was published, whole and with its captions."""
    card = report.protocol
    of_others = card.differs or card.incomplete
    return not of_others and test_hash in ("", card.split_hash)


def _unlike(test_hash: str, report: AnyReport) -> str:
    """Says how the measured split differs from the published one."""
    card, there = report.protocol, report.videos
    gone = sum(one.count for one in card.left_out.get(card.split, ()) if one.missing)
    if gone:
        return f"{there:,} of {there + gone:,} videos of {card.split} were measured"
    return (
        f"{card.split} of {card.dataset} as it was measured (hash {card.split_hash}) has other "
        f"captions than the one that was published (hash {test_hash})"
    )
