"""Cheap looks at a frame: whether small letters may stand in it, and whether anything changed.

Both look at a small picture in grey.
"""

import cv2
import numpy as np
from jaxtyping import UInt8

SIDE = 480  # pixels of the longer side of that picture, at most
CONTRAST = 40  # levels of grey by which a stroke differs from what is beside it
REACH = 3  # pixels from one edge of a stroke to the other, at most
WINDOW = (33, 9)  # width and height in pixels of the part of a line that is judged
DENSE = 40  # of 255: share of a window that edges of strokes fill
TILE = 16  # pixels, side of a part of the picture that may change by itself
CHANGE = 6.0  # mean difference of a tile, in levels of grey, that coding alone does not make
AROUND = 24  # pixels around strokes that belong to their place
ALIKE = 0.8  # correlation of two pictures of the same letters, over whatever background
FLAT = 6.0  # standard deviation in levels of grey of what shows no letters

Grey = UInt8[np.ndarray, "_ _"]
Place = tuple[float, float, float, float]  # left, top, right and bottom, as shares of a picture


def in_grey(pixels: UInt8[np.ndarray, "H W 3"]) -> Grey:
    """A picture in grey, made smaller by means over areas where a side is longer than `SIDE`."""
    height, width = pixels.shape[:2]
    share = min(1.0, SIDE / max(height, width))
    size = max(1, round(share * width)), max(1, round(share * height))
    return cv2.cvtColor(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)


def has_strokes(grey: Grey) -> bool:
    """Whether sharp thin strokes stand side by side somewhere, as those of small letters do."""
    return place_of_strokes(grey) is not None


def place_of_strokes(grey: Grey) -> Place | None:
    """The place that holds all sharp thin strokes that stand side by side, and a little around it;
    None where there are none.

    A stroke is an edge up and one down (or the reverse) within a few pixels of a row.
    """
    steps = cv2.filter2D(grey, cv2.CV_16S, np.array([[-1, 1]], np.float32))
    up, down = steps > CONTRAST, steps < -CONTRAST
    edges = np.zeros(grey.shape, bool)
    for apart in range(1, REACH + 1):
        before, after = np.s_[:, :-apart], np.s_[:, apart:]
        edges[after] |= (up[after] & down[before]) | (down[after] & up[before])
    dense = cv2.blur(edges.view(np.uint8) * 255, WINDOW) > DENSE
    rows, columns = np.flatnonzero(dense.any(axis=1)), np.flatnonzero(dense.any(axis=0))
    if not len(rows):
        return None
    (height, width), reach = grey.shape, AROUND
    return (
        max(0, int(columns[0]) - reach) / width,
        max(0, int(rows[0]) - reach) / height,
        min(width, int(columns[-1]) + 1 + reach) / width,
        min(height, int(rows[-1]) + 1 + reach) / height,
    )


def has_changed(before: Grey, now: Grey) -> bool:
    """Whether any tile of the picture is another, beyond what coding does to it."""
    if before.shape != now.shape:
        return True
    height, width = now.shape
    size = max(1, width // TILE), max(1, height // TILE)
    apart = cv2.resize(cv2.absdiff(before, now), size, interpolation=cv2.INTER_AREA)
    return bool(apart.max() > CHANGE)


def is_same_line(before: Grey, now: Grey) -> bool:
    """Whether two pictures of one place show the same letters, whatever moves behind them.

    Each piece as long as it is high is compared by itself, so that one letter makes a difference.
    """
    height, width = now.shape
    if not height or not width:
        return False
    pieces = max(1, width // height)
    for a, b in zip(
        np.array_split(before, pieces, axis=1), np.array_split(now, pieces, axis=1), strict=True
    ):
        if max(a.std(), b.std()) >= FLAT and _correlation(a, b) < ALIKE:
            return False
    return True


def _correlation(a: Grey, b: Grey) -> float:
    x, y = a - a.mean(), b - b.mean()
    return float((x * y).sum() / max(np.sqrt((x * x).sum() * (y * y).sum()), 1e-9))
