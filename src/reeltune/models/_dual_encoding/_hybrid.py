"""Scores in the hybrid space: cosines of the latent parts beside Jaccard of the concepts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from reeltune.errors import DataError
from reeltune.objectives.jaccard import jaccard

ROWS = 512  # texts at once; bounds the memory beside the scores themselves
Normalisation = Literal["range", "max"]
Vectors = Tensor  # (Q, D) or (N, D): latent columns, then concepts


@dataclass(frozen=True)
class Extremes:
    """Lowest and highest score of all texts with all videos, in one part of the space."""

    low: float
    high: float

    def divisor(self, normalisation: Normalisation) -> float:
        """The divisor of scores: "range" as published, "max" as in Dual Encoding++."""
        divisor = self.high - self.low if normalisation == "range" else self.high
        if divisor > 0:
            return divisor
        raise DataError(
            f"scores between {self.low:.4f} and {self.high:.4f} cannot be normalised by their "
            f"{normalisation}; give more texts and videos than these"
        )

    def lasting_divisor(self, normalisation: Normalisation) -> float:
        """Divisor for scores that are still to come. It is the largest absolute score if these have
        no range or no highest value to divide by (one pair, or all below zero)."""
        try:
            return self.divisor(normalisation)
        except DataError:
            return max(abs(self.low), abs(self.high)) or 1.0


@dataclass(frozen=True)
class Hybrid:
    """How the two parts of a space of `latent` columns and some concepts become one score."""

    latent: int
    alpha: float  # weight of the latent part
    normalisation: Normalisation

    def latent_scores(self, text: Vectors, video: Vectors) -> Tensor:
        return text[:, : self.latent] @ video[:, : self.latent].T

    def concept_scores(self, text: Vectors, video: Vectors) -> Tensor:
        return jaccard(text[:, self.latent :], video[:, self.latent :])

    def scores(self, text: Vectors, video: Vectors, latent: float, concept: float) -> Tensor:
        """Each part over its divisor, which is all that a single query needs.

        Without a graph, row by row.
        """
        if torch.is_grad_enabled():
            return self._weigh(text, video, latent, concept)
        scores = text.new_empty(len(text), len(video))
        for rows, part in _rows(scores, text):
            rows.copy_(self._weigh(part, video, latent, concept))
        return scores

    def scores_by(
        self, text: Vectors, video: Vectors, cosines: Extremes, concepts: Extremes
    ) -> Tensor:
        """Each part, shifted to 0 at its lowest and divided, both by the extremes of another
        matrix."""
        latent, concept = (part.divisor(self.normalisation) for part in (cosines, concepts))
        lowest = self.alpha * cosines.low / latent + (1 - self.alpha) * concepts.low / concept
        return self.scores(text, video, latent, concept) - lowest

    def _weigh(self, text: Vectors, video: Vectors, latent: float, concept: float) -> Tensor:
        first = self.latent_scores(text, video) * (self.alpha / latent)
        return first + self.concept_scores(text, video) * ((1 - self.alpha) / concept)

    def extremes(self, text: Vectors, video: Vectors) -> tuple[Extremes, Extremes]:
        """Extremes of the latent scores, and of the concept scores."""
        return (
            _extremes(self.latent_scores(part, video) for part in text.split(ROWS)),
            _extremes(self.concept_scores(part, video) for part in text.split(ROWS)),
        )


@torch.no_grad()
def hybrid_scores(
    text: Float[Tensor, "Q D"],
    video: Float[Tensor, "N D"],
    latent: int,
    alpha: float = 0.6,
    normalisation: Normalisation = "range",
) -> Float[Tensor, "Q N"]:
    """Scores as published: each part is brought to 0 at its lowest of all pairs, and divided.

    Transductive: a score depends on the other texts and videos. The first `latent` columns are
    the latent part. Memory is that of the scores and of `ROWS` of them more; the cosines, which
    are cheap, are computed twice for that.
    """
    way = Hybrid(latent, alpha, normalisation)
    if text.shape[1] == latent:
        return way.latent_scores(text, video)
    scores = text.new_empty(len(text), len(video))
    for rows, part in _rows(scores, text):
        rows.copy_(way.concept_scores(part, video))
    concepts = Extremes(*(float(end) for end in scores.aminmax()))
    scores.sub_(concepts.low).mul_((1 - alpha) / concepts.divisor(normalisation))
    cosines = _extremes(way.latent_scores(part, video) for part in text.split(ROWS))
    weight = alpha / cosines.divisor(normalisation)
    for rows, part in _rows(scores, text):
        rows.add_(way.latent_scores(part, video).sub_(cosines.low), alpha=weight)
    return scores


def _rows(scores: Tensor, text: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Some rows of the scores, to be filled, and their texts."""
    return zip(scores.split(ROWS), text.split(ROWS), strict=True)


@torch.no_grad()
def _extremes(parts: Iterable[Tensor]) -> Extremes:
    ends = [part.aminmax() for part in parts]
    return Extremes(float(min(end.min for end in ends)), float(max(end.max for end in ends)))
