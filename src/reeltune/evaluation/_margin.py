"""Measures by how much right answers lead wrong ones, which still differs when all ranks are 1."""

import numpy as np
from jaxtyping import Float, Int

from reeltune.evaluation.metrics import chunks


def mean_margin(scores: Float[np.ndarray, "Q N"], column: Int[np.ndarray, " Q"]) -> float | None:
    """Mean over both directions of a right answer's score less that of the best wrong one.

    Text i belongs to video `column[i]`; of a video's own texts the best one counts. None for
    a single video, which has no wrong answers.
    """
    shown = np.unique(column)
    if len(shown) < 2:
        return None
    own = np.take_along_axis(scores, column[:, None], axis=1)[:, 0]  # (Q,)
    lead = np.empty(len(scores))
    for rows in chunks(len(scores), scores.shape[1]):
        wrong = scores[rows].copy()
        np.put_along_axis(wrong, column[rows, None], -np.inf, axis=1)
        lead[rows] = own[rows] - wrong.max(axis=1)
    back = np.empty(len(shown))
    for block in chunks(len(shown), len(scores)):
        right = column[:, None] == shown[block]  # (Q, b)
        some = scores[:, shown[block]]
        back[block] = np.where(right, some, -np.inf).max(0) - np.where(right, -np.inf, some).max(0)
    return float(lead.mean() + back.mean()) / 2
