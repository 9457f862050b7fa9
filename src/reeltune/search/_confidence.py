"""Says how sure an answer is: whether the best moments match, or are merely the nearest.

Raw scores differ from model to model, and the more moments there are, the higher the best of them
scores by chance. So a score is measured against what is usual for the model, moments against
captions or pictures that they have nothing to do with, and corrected for the number of moments.
The weights come from present and absent queries, of one word and of whole captions, see
scripts/fit_confidence.py; pictures as queries have scripts/fit_picture_confidence.py. What a query
scores on pictures that have nothing to do with it told no more (docs/measured/search.md).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Shaped

from reeltune.search._rescore import indexed_columns
from reeltune.types import DualEncoder

Kind = Literal["text", "picture"]

GOOD = 0.35  # below this, "nothing here matches well"; the best balance on the validation part
MOST = 1000.0  # moments; the fit knows no more, and moments of one video are not independent
WEIGHTS: dict[str, tuple[float, float, float]] = {  # of strength, log count, and the bias
    "text": (1.521, -0.824, -2.413),
    "picture": (19.201, -0.571, -7.089),
}


@dataclass(frozen=True)
class Usual:
    """Similarities of moments with what they have nothing to do with, for one model."""

    texts: float  # mean cosine with captions
    spread: float  # standard deviation of those
    pictures: float  # mean cosine with moments of other videos


# Where a model is known, its own figures are better than a library's: a library full of cooking is
# like the captions of cooking. They are those of the photos that the weights were fitted on.
KNOWN = {"lite": Usual(texts=0.0, spread=0.085, pictures=0.034)}


@cache
def background() -> list[str]:
    """The captions that every moment is compared with."""
    text = files("reeltune.search").joinpath("background.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line]


class Baseline:
    """Cosines of moments with the background captions, by the columns that are indexed."""

    def __init__(self, texts: Float[np.ndarray, "Q D"]) -> None:
        self._texts = texts

    @classmethod
    def of_model(cls, model: DualEncoder) -> "Baseline":
        """Encode the captions once."""
        with torch.inference_mode():
            vectors = model.encode_text(model.tokenize(background()))
        return cls(vectors[:, : indexed_columns(model)].float().cpu().numpy())

    def of(
        self, vectors: Float[np.ndarray, "N D"]
    ) -> tuple[Float[np.ndarray, " N"], Float[np.ndarray, " N"]]:
        """Mean and standard deviation over the captions, for each moment."""
        compared = vectors[:, : self._texts.shape[1]].astype(np.float32)
        scores = compared @ self._texts.T.astype(np.float32)  # (N, Q)
        return scores.mean(axis=1), np.maximum(scores.std(axis=1), 1e-6)


def usual(
    mean: Float[np.ndarray, " N"],
    std: Float[np.ndarray, " N"],
    some: Float[np.ndarray, "M D"],
    video: Shaped[np.ndarray, " M"],
) -> Usual:
    """The usual similarities in a library, from the baselines of its moments and a sample of
    them."""
    if not len(mean):
        return Usual(0.0, 1.0, 0.0)
    apart = video[:, None] != video  # (M, M)
    cosines = (some @ some.T)[apart]
    spread = float(np.sqrt(np.mean(np.square(std, dtype=np.float64))))
    return Usual(
        texts=float(mean.mean(dtype=np.float64)),
        spread=max(spread, 1e-6),
        pictures=float(np.clip(cosines.mean(), 0, 0.99)) if len(cosines) else 0.0,
    )


def features(
    score: Float[np.ndarray, " M"], count: int, usual: Usual, kind: Kind
) -> Float[np.ndarray, "M 2"]:
    """How far scores stand out, and the logarithm of how many moments were searched.

    For a text, standard deviations above what is usual; for a picture or video as the query, the
    part of the way from what is usual to the same picture, whose cosine is 1 in any model.
    """
    if kind == "text":
        strength = (score - usual.texts) / usual.spread
    else:
        strength = (score - usual.pictures) / (1 - usual.pictures)
    crowd = math.log(min(max(count, 1), MOST))
    return np.column_stack([strength, np.full(len(score), crowd)])


def confidence(
    score: Sequence[float] | Float[np.ndarray, " M"], count: int, usual: Usual, kind: Kind
) -> Float[np.ndarray, " M"]:
    """The chance that moments with these cosines match, given that `count` were searched."""
    *weights, bias = WEIGHTS[kind]
    inputs = features(np.asarray(score, np.float64), count, usual, kind)
    return 1 / (1 + np.exp(-(inputs * weights).sum(axis=1) - bias))
