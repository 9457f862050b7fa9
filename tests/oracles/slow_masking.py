"""How often each place is hidden, by going through everything that can be drawn."""

from collections.abc import Sequence
from itertools import permutations, product

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


def chance_drawn(weights: Sequence[float], count: int) -> np.ndarray:
    """The chance (N,) that each of N things is among `count` that are drawn one after another, each
    in proportion to the weights of those that are left."""
    found = np.zeros(len(weights))
    for order in permutations(range(len(weights)), count):
        chance, left = 1.0, sum(weights)
        for place in order:
            chance *= weights[place] / left if weights[place] else 0.0
            left -= weights[place]
        found[list(order)] += chance
    return found
