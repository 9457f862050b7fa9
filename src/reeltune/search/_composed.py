"""Several terms as one query: what each says about a moment is added up."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from reeltune.search._confidence import WEIGHTS, Kind
from reeltune.search._usual import Usual


@dataclass(frozen=True)
class Part:
    """A term as a model reads it."""

    vector: Float[np.ndarray, " D"]  # of length 1
    kind: Kind
    counts: int = 1  # -1: against a moment


def composed(parts: Sequence[Part], usual: Usual) -> tuple[Float[np.ndarray, " D"], Kind, Usual]:
    """One unit vector for several terms, its kind, and what its cosines usually are.

    Each term has its say as a logarithm of odds, by its own weight and from what is usual for its
    kind, so a picture does not drown words because its cosines are larger. The sum of N terms is
    divided by the root of N, as sums of unrelated things grow by that. One term alone is itself.
    """
    if len(parts) == 1 and parts[0].counts > 0:
        return parts[0].vector, parts[0].kind, usual
    slopes = [part.counts * slope(part.kind, usual) / math.sqrt(len(parts)) for part in parts]
    total = np.sum([a * part.vector for a, part in zip(slopes, parts, strict=True)], axis=0)
    length = max(float(np.linalg.norm(total)), 1e-9)
    level = sum(
        a * (usual.pictures if part.kind == "picture" else usual.texts)
        for a, part in zip(slopes, parts, strict=True)
    )
    short = all(part.kind != "text" for part in parts) and any(p.kind == "short" for p in parts)
    kind: Kind = "short" if short else "text"
    own = Usual(texts=level / length, spread=WEIGHTS[kind][0] / length, pictures=usual.pictures)
    return (total / length).astype(np.float32), kind, own


def slope(kind: Kind, usual: Usual) -> float:
    """How much a cosine adds to the logarithm of the odds that a moment matches."""
    width = 1 - usual.pictures if kind == "picture" else usual.spread
    return WEIGHTS[kind][0] / width
