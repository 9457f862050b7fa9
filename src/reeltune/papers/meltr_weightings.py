"""A table that the paper lacks: MELTR beside other ways to weigh losses, most of which cost less.

All rows have the same model, data, rate of learning and number of steps. Weightings have the
defaults of their papers or of torchjd, which were not tuned on this data; nor was MELTR's K.
"""

from collections.abc import Iterator

from reeltune.papers._meltr import (
    CAPTION_MELTR,
    CAPTION_PRIMARY,
    CAPTION_SUM,
    MELTR,
    SUM,
    captions,
    entry,
    retrieval,
    table,
)
from reeltune.papers.meltr_schemes import SCHEMES
from reeltune.papers.table.entry import Entry
from reeltune.registry import packaged

SAID = (
    "Weightings look at the values of the losses (uncertainty, imtl-l, dwa, famo, stch, "
    "random-weights), at their gradients (gradnorm, pcgrad, cagrad, upgrad), or at their gradients "
    "beside that of the primary loss on held-out data (aligned). MELTR reads values, and learns by "
    "held-out data too; its schemes have no regulariser, and the last row is the recipe, which has."
)


def _weighed(summed: str, melted: str) -> Iterator[Entry]:
    """A row for each weighting of the package, for MELTR by each scheme, and for its recipe."""
    for name in packaged("training.weightings"):
        yield entry(name, summed, {"training.combine": name})
    for name in reversed(SCHEMES):
        yield entry(f"MELTR, {name}", melted, {"meltr.scheme": name, "meltr.step.gamma": 0.0})
    yield entry("MELTR, linear", melted, {"meltr.kind": "linear", "meltr.step.gamma": 0.0})
    yield entry("MELTR, the recipe", melted)


TABLE = table(
    "weightings",
    retrieval("Weightings in retrieval", SAID, *_weighed(SUM, MELTR)),
    captions(
        "Weightings in captions with speech",
        SAID,
        base="sum of all eight",
        primary="decoder alone",
        entries=[
            entry("sum of all eight", CAPTION_SUM),
            entry("decoder alone", CAPTION_PRIMARY),
            *_weighed(CAPTION_SUM, CAPTION_MELTR),
        ],
    ),
)
