"""How much likelier a phrase is where a moment matches a query than where it does not.

The ratios are calibrated: over phrases that have nothing to do with a query their mean is about 1,
so a moment gains nothing for having words. What is usual for a word or a meaning is what phrases of
other videos show, so a video that goes on about one thing is no yardstick for itself.

A word of a quotation counts as in the binary independence model, on which BM25 rests: by the
logarithm of how much commoner it is in matching phrases than in others (Robertson and Sparck Jones,
1976). Words that follow each other as in the query count once more. The figures were chosen on
photos of Flickr8k with captions for words (docs/measured/search.md).
"""

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from reeltune.search.channels._vocabulary import EXACT, LOOSE

KNOWN = 50.0  # phrases for which what is known of the language counts beside those of the library
COSINE, SPREAD = 0.06, 0.10  # of phrases that have nothing to do with each other
MEANT = (1.17, -1.24)  # the logarithm by standard deviations of the cosine above those
HEARD, HEARD_LOOSELY = 0.75, 0.2  # of the words of a quotation
FOLLOWS, BY_CHANCE, KNOWN_PAIRS = 0.8, 0.1, 5.0  # of pairs of its words


def meant(cosine: Float[np.ndarray, " P"], video: Int[np.ndarray, " P"]) -> Float[np.ndarray, " P"]:
    """Logarithms of the ratios of cosines of a query with phrases."""
    count, total, squares = (
        elsewhere(video, weights) for weights in (None, cosine, np.square(cosine))
    )
    mean = (total + KNOWN * COSINE) / (count + KNOWN)
    square = (squares + KNOWN * (COSINE**2 + SPREAD**2)) / (count + KNOWN)
    spread = np.sqrt(np.maximum(square - mean**2, 1e-6))
    slope, offset = MEANT
    return slope * (cosine - mean[video]) / spread[video] + offset


def had(
    level: UInt8[np.ndarray, " P"], video: Int[np.ndarray, " P"], common: tuple[float, float]
) -> Float[np.ndarray, " P"]:
    """Logarithms of the ratios of one word of a query, which phrases have at these levels.

    `common` are the shares of phrases that have it in the language at large: as it is, and loosely.
    """
    exact, loose = (
        (elsewhere(video, level == one) + KNOWN * known) / (elsewhere(video) + KNOWN)
        for one, known in zip((EXACT, LOOSE), common, strict=True)
    )
    absent = np.maximum(1 - exact - loose, 1e-3)
    chances = [(1 - HEARD - HEARD_LOOSELY) / absent, HEARD_LOOSELY / loose, HEARD / exact]
    return np.log(np.stack(chances))[level, video]


def followed(
    both: Bool[np.ndarray, " P"], follows: Bool[np.ndarray, " P"], video: Int[np.ndarray, " P"]
) -> Float[np.ndarray, " P"]:
    """Logarithms of the ratios of two words of a query, which stand in some phrases, and in some of
    those one after the other."""
    apart = elsewhere(video, both) + KNOWN_PAIRS
    share = (elsewhere(video, both & follows) + KNOWN_PAIRS * BY_CHANCE) / apart
    chances = [np.ones_like(share), (1 - FOLLOWS) / (1 - share), FOLLOWS / share]
    return np.log(np.stack(chances))[both.astype(int) + (both & follows), video]


def elsewhere(
    video: Int[np.ndarray, " P"], weights: np.ndarray | None = None
) -> Float[np.ndarray, " V"]:
    """The sum of weights over the phrases of all other videos, for each video; without weights, how
    many there are."""
    of_video = np.bincount(video, weights).astype(np.float64)
    return of_video.sum() - of_video
