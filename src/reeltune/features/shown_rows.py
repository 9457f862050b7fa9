"""Chooses the rows of stored features that stand for the frames that a rule would take."""

import math

import numpy as np
from jaxtyping import Float, Int

from reeltune.media.sampling import ROUNDED, Sampling
from reeltune.types import Pair


def rows_of_clip(
    edges: Float[np.ndarray, " T1"], pair: Pair, most: int | None
) -> Int[np.ndarray, " N"]:
    """Numbers of the rows of a video, at most so many (None: all), that the clip of a pair shows.

    `edges` are as in `shown_rows`.
    """
    value = math.inf if most is None else float(most)
    end = math.inf if pair.end is None else float(pair.end)
    return shown_rows(edges, Sampling("uniform", value, float(pair.start), end))


def shown_rows(edges: Float[np.ndarray, " T1"], sampling: Sampling) -> Int[np.ndarray, " N"]:
    """Numbers of the rows that `uniform` takes of T; `value` may be infinite, for all in the span.

    `edges` are the seconds at which each row's frame appears, and at which the last one disappears.
    """
    begin, end = sampling.span
    inside = np.flatnonzero((edges[:-1] < end - ROUNDED) & (edges[1:] > begin + ROUNDED))
    if len(inside) <= sampling.value:
        return inside
    count = int(sampling.value)
    marks = begin + (np.arange(count) + 0.5) * sampling.length(float(edges[-1])) / count
    shown = np.searchsorted(edges[:-1], marks + ROUNDED, side="right") - 1
    return np.unique(np.maximum(shown, 0))
