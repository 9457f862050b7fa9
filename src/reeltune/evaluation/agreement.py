"""How far two forms of one model agree, without a benchmark: by vectors, and by who is ranked
first."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float

NEAR = 10  # captions of a picture that are compared


@dataclass(frozen=True)
class Vectors:
    """What one form of a model makes of texts and pictures."""

    texts: Float[np.ndarray, "N D"]
    pictures: Float[np.ndarray, "M D"]


@dataclass(frozen=True)
class Agreement:
    """Cosines of the vectors of each text and picture in both forms, and shares of pictures."""

    text_cosine: float  # the mean
    text_cosine_least: float
    picture_cosine: float
    picture_cosine_least: float
    same_first: float  # share of pictures with the same nearest text
    shared_of_ten: float  # mean share of the ten nearest texts of a picture that are in both lists
    texts: int
    pictures: int

    def as_dict(self) -> Mapping[str, float]:
        """The figures by their names."""
        return asdict(self)


def agreement(one: Vectors, other: Vectors) -> Agreement:
    """How far `other` is as `one`."""
    texts = _cosines(one.texts, other.texts)
    pictures = _cosines(one.pictures, other.pictures)
    ranked = [np.argsort(-(v.pictures @ v.texts.T), axis=1, kind="stable") for v in (one, other)]
    firsts = ranked[0][:, 0] == ranked[1][:, 0]
    near = [set(row[:NEAR]) for row in ranked[0]], [set(row[:NEAR]) for row in ranked[1]]
    shared = [len(a & b) / len(a) for a, b in zip(*near, strict=True)]
    return Agreement(
        text_cosine=float(texts.mean()),
        text_cosine_least=float(texts.min()),
        picture_cosine=float(pictures.mean()),
        picture_cosine_least=float(pictures.min()),
        same_first=float(firsts.mean()),
        shared_of_ten=float(np.mean(shared)),
        texts=len(texts),
        pictures=len(pictures),
    )


def _cosines(a: Float[np.ndarray, "N D"], b: Float[np.ndarray, "N D"]) -> Float[np.ndarray, " N"]:
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return (a * b).sum(axis=1) / np.maximum(lengths, 1e-12)
