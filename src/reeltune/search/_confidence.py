"""How sure an answer is: whether the best moments match, or are merely the nearest.

Raw scores differ from query to query and from model to model, so no score is good in itself. Each
moment therefore carries a baseline: mean and standard deviation of its similarity to a fixed list
of everyday captions. A query that describes a moment stands out from that list; one that matches
nothing does not. The more moments there are, the further the best of them stands out by chance,
which the number of moments corrects.
"""

import math
from functools import cache
from importlib.resources import files

import numpy as np
import torch
from jaxtyping import Float

from reeltune.search._gallery import Found
from reeltune.types import DualEncoder

GOOD = 0.5  # below this, "nothing here matches well"

# Logistic regression on present and absent queries, made by scripts/fit_confidence.py.
WEIGHTS = {"z": 1.5, "log_count": -0.35, "bias": -3.0}


@cache
def background() -> list[str]:
    """The captions that every moment is compared with."""
    text = files("reeltune.search").joinpath("background.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line]


class Baseline:
    """Similarity of moments to the background captions."""

    def __init__(self, texts: Float[np.ndarray, "Q D"]) -> None:
        self._texts = texts

    @classmethod
    def of_model(cls, model: DualEncoder) -> "Baseline":
        """Encode the captions once."""
        with torch.inference_mode():
            vectors = model.encode_text(model.tokenize(background()))
        return cls(vectors.float().cpu().numpy())

    def of(
        self, vectors: Float[np.ndarray, "N D"]
    ) -> tuple[Float[np.ndarray, " N"], Float[np.ndarray, " N"]]:
        """Mean and standard deviation over the captions, for each moment."""
        scores = vectors.astype(np.float32) @ self._texts.T.astype(np.float32)  # (N, Q)
        return scores.mean(axis=1), np.maximum(scores.std(axis=1), 1e-6)


def text_confidence(found: Found, count: int) -> Float[np.ndarray, " M"]:
    """Chance that each moment matches the words, given that `count` moments were searched."""
    z = (found.score - found.baseline_mean) / found.baseline_std
    logit = WEIGHTS["z"] * z + WEIGHTS["log_count"] * math.log(max(count, 1)) + WEIGHTS["bias"]
    return 1 / (1 + np.exp(-logit))


def picture_confidence(found: Found, count: int) -> Float[np.ndarray, " M"]:
    """The same for a picture or a video as the query, where a cosine needs no calibration.

    Two pictures of the same thing have a cosine near 1 in any model; half-way between that and
    the moments that were merely nearest, a match is as likely as not.
    """
    usual = float(np.median(found.score)) if len(found.score) else 0.0
    middle = (1 + max(usual, 0.0)) / 2
    return 1 / (1 + np.exp(-(found.score - middle) / max(0.15 * (1 - middle), 1e-3)))
