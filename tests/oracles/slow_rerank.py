"""Re-ranking by definition: a list for each text, loops over videos."""

from collections.abc import Sequence

import numpy as np


def slow_order(near: Sequence[float], pair: Sequence[float], top: int) -> list[int]:
    """Videos of one text, best first: `top` candidates by pair scores, then the others by near."""
    nearest = sorted(range(len(near)), key=lambda video: -near[video])
    again = sorted(nearest[:top], key=lambda video: -pair[video])
    return again + nearest[top:]


def slow_texts(near: np.ndarray, pair: np.ndarray, top: int, video: int) -> list[int]:
    """Texts of one video, best first: those that have it as a candidate, then the others."""
    candidate = [
        video in sorted(range(near.shape[1]), key=lambda one: -near[text, one])[:top]
        for text in range(len(near))
    ]
    texts = range(len(near))
    first = sorted((t for t in texts if candidate[t]), key=lambda text: -pair[text, video])
    return first + sorted((t for t in texts if not candidate[t]), key=lambda t: -near[t, video])
