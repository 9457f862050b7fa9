"""Table 10 of MELTR, which varies what melts the losses."""

from reeltune.papers._meltr import MELTR, entry, recall, retrieval, table

# MELTR as in the paper, which adds to nothing, and whose regulariser acts through the weights alone
ALONE = {"meltr.sizes.residual": False, "meltr.step.direct_term": False}

TABLE = table(
    "architecture",
    retrieval(
        "What melts the losses (Table 10)",
        "SE: tokens say how large a loss is; TE: which loss it is. The recipe's MELTR adds to the "
        "sum (residual) and is held near it by the direct term; a warm start fits it to the sum "
        "instead. That of the paper has none of these, and with TE alone its slopes are zero, so "
        "that the model stays as it was at the start. A residual MELTR with TE alone is the sum.",
        entry("linear", MELTR, {"meltr.kind": "linear"}, recall(27.6)),
        entry("SE + TE", MELTR),
        entry("SE", MELTR, {"meltr.sizes.task": False}),
        entry(
            "SE + TE, warm start", MELTR, {"meltr.sizes.residual": False, "meltr.warm_start": 500}
        ),
        entry("SE + TE, as in the paper", MELTR, ALONE, recall(28.6)),
        entry("SE, as in the paper", MELTR, {**ALONE, "meltr.sizes.task": False}, recall(27.9)),
        entry("TE, as in the paper", MELTR, {**ALONE, "meltr.sizes.scale": False}),
    ),
)
