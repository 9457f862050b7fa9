"""Table 9 of MELTR, which varies how strongly the melted loss is held near the sum."""

from reeltune.papers._meltr import MELTR, entry, recall, retrieval, table

GAMMAS = {0.0: 27.6, 0.001: 27.8, 0.01: 28.1, 0.1: 28.4, 1.0: 28.6, 10.0: 28.6, 100.0: 28.5}

TABLE = table(
    "gamma",
    retrieval(
        "Strength of the regulariser (Table 9)",
        "gamma weighs |L_aux - sum of losses| in the loss that MELTR is judged by.",
        *[
            entry(f"gamma {gamma:g}", MELTR, {"meltr.step.gamma": gamma}, recall(figure))
            for gamma, figure in GAMMAS.items()
        ],
    ),
)
