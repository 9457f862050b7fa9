"""A table that the paper lacks, which varies the outer step: how often it is made, on which data,
and at which rate."""

from typing import Any

from reeltune.papers._meltr import MELTR, entry, retrieval, table

OUTER: dict[str, dict[str, Any]] = {
    "K = 1": {"meltr.step.every": 1},
    "K = 3 on held-out data, the recipe": {},
    "K = 10": {"meltr.step.every": 10},
    "on the batches before": {"meltr.outer": "recent"},
    "ten times the rate": {"meltr.step.lr": 1e-3},
}

TABLE = table(
    "outer",
    retrieval(
        "The outer step in retrieval",
        "K is how many inner steps there are for each outer one, whose batch is of the validation "
        "split, or one that was trained on before.",
        *[entry(name, MELTR, changes) for name, changes in OUTER.items()],
    ),
)
