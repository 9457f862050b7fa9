"""A table that the paper lacks, which varies the batch of MELTR's regulariser and its way to
phi."""

from typing import Any

from reeltune.papers._meltr import (
    CAPTION_MELTR,
    CAPTION_PRIMARY,
    CAPTION_SUM,
    MELTR,
    captions,
    entry,
    retrieval,
    table,
)
from reeltune.papers.table.entry import Entry

REGULARISERS: dict[str, dict[str, Any]] = {
    "no regulariser": {"meltr.step.gamma": 0.0},
    "upper, both ways": {"meltr.step.regularise": "upper"},
    "upper, through the weights alone": {
        "meltr.step.regularise": "upper",
        "meltr.step.direct_term": False,
    },
    "lower, both ways": {"meltr.step.regularise": "lower"},
    "lower, through the weights alone": {
        "meltr.step.regularise": "lower",
        "meltr.step.direct_term": False,
    },
}
BATCH = "Lower: on the batch of L_aux, as in the paper's releases; upper: on the batch that judges."


def _regularised(method: str) -> list[Entry]:
    return [entry(name, method, changes) for name, changes in REGULARISERS.items()]


TABLE = table(
    "regulariser",
    retrieval("The regulariser in retrieval", BATCH, *_regularised(MELTR)),
    captions(
        "The regulariser in captions with speech",
        BATCH,
        base="sum of all eight",
        primary="decoder alone",
        entries=[
            entry("sum of all eight", CAPTION_SUM),
            entry("decoder alone", CAPTION_PRIMARY),
            *_regularised(CAPTION_MELTR),
        ],
    ),
)
