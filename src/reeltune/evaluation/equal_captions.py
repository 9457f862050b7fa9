"""Several videos with the very same caption, of which none is a wrong answer to it."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from reeltune.types import Pair


def shares_captions(pairs: Sequence[Pair]) -> bool:
    """Whether two videos have the same caption."""
    return any(len(videos) > 1 for videos in _videos(pairs).values())


def without_equals(
    scores: Float[np.ndarray, "Q N"], pairs: Sequence[Pair], gallery: Sequence[str]
) -> Float[np.ndarray, "Q N"]:
    """Scores in which other videos with the caption of a row are below all others there.

    Row i is the caption of `pairs[i]`, column j the video `gallery[j]`. Each video of a caption is
    then looked for among those that are wrong for it (the filtered setting of Bordes et al., 2013).
    """
    of_caption, column = _videos(pairs), {video: place for place, video in enumerate(gallery)}
    found = scores.copy()
    lowest = scores.min() - 1
    for row, pair in enumerate(pairs):
        others = [column[video] for video in of_caption[pair.caption] if video != pair.video]
        found[row, others] = lowest
    return found


def _videos(pairs: Sequence[Pair]) -> dict[str, dict[str, None]]:
    """The videos of each caption."""
    found: dict[str, dict[str, None]] = {}
    for pair in pairs:
        found.setdefault(pair.caption, {})[pair.video] = None
    return found
