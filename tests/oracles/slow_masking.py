"""How often block-wise masking covers each place, by going through every block there can be."""

from itertools import product

import numpy as np


def spans(longest: int, whole: int) -> list[tuple[float, range]]:
    """Every part of `whole` places that a block may take along one axis, and its chance."""
    sizes = range(1, max(1, longest) + 1)
    return [
        (1 / len(sizes) / (whole - size + 1), range(start, start + size))
        for size in sizes
        for start in range(whole - size + 1)
    ]


def chance_covered(frames: int, side: int) -> np.ndarray:
    """The chance (T, H, W) that one of as many blocks as there are frames covers a place."""
    times, rows = spans(frames - 1, frames), spans(2 * side // 3 - 1, side)
    once = np.zeros((frames, side, side))
    for (p, when), (q, down), (r, right) in product(times, rows, rows):
        for place in product(when, down, right):
            once[place] += p * q * r
    return 1 - (1 - once) ** frames
