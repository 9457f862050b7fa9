"""Says how sure an answer is: whether the best moments match, or are merely the nearest.

Raw scores differ from model to model, and the more moments there are, the higher the best of them
scores by chance. So a score is measured against what is usual for the model and in the library,
and corrected for the number of moments. The weights come from present and absent queries, of one
word and of whole captions, see scripts/fit_confidence.py; pictures as queries have
scripts/fit_picture_confidence.py. What a query scores on other pictures told no more
(docs/measured/search.md).
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float

from reeltune.search._usual import Usual

Kind = Literal["short", "text", "picture"]

SHORT = 3  # words; people type few, and these say less than a caption does
MOST = 1000.0  # moments; the fit knows no more, and moments of one video are not independent
WEIGHTS: dict[Kind, tuple[float, float, float]] = {  # of strength, log count, and the bias
    "short": (1.981, -0.875, -3.611),
    "text": (1.899, -0.972, -3.026),
    "picture": (15.613, -0.477, -6.296),
}
# Below these, "nothing here matches well". Of right answers that is to be said of one in ten, and
# of those to words and pictures, which people judge at a glance, of one in twenty.
POOR: dict[Kind, float] = {"short": 0.07, "text": 0.1, "picture": 0.35}


def kind_of(text: str | None) -> Kind:
    """The kind of a query: words, or None where it is a picture or a video."""
    if text is None:
        return "picture"
    return "short" if len(text.split()) <= SHORT else "text"


def features(
    score: Float[np.ndarray, " M"], count: int, usual: Usual, kind: Kind
) -> Float[np.ndarray, "M 2"]:
    """How far scores stand out, and the logarithm of how many moments were searched.

    For a text, standard deviations above what is usual; for a picture or video as the query, the
    part of the way from what is usual to the same picture, whose cosine is 1 in any model.
    """
    if kind == "picture":
        strength = (score - usual.pictures) / (1 - usual.pictures)
    else:
        strength = (score - usual.texts) / usual.spread
    crowd = math.log(min(max(count, 1), MOST))
    return np.column_stack([strength, np.full(len(score), crowd)])


def confidence(
    score: Sequence[float] | Float[np.ndarray, " M"], count: int, usual: Usual, kind: Kind
) -> Float[np.ndarray, " M"]:
    """The chance that moments with these cosines match, given that `count` were searched."""
    *weights, bias = WEIGHTS[kind]
    inputs = features(np.asarray(score, np.float64), count, usual, kind)
    return 1 / (1 + np.exp(-(inputs * weights).sum(axis=1) - bias))
