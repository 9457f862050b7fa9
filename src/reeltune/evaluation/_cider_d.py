"""CIDEr-D (Vedantam et al., 1411.5726): words that people agree on, rare ones more than common."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from reeltune.evaluation.bleu import ORDERS, Words, ngrams

SIGMA = 6.0  # of the penalty for another length, in words


@dataclass(frozen=True)
class Weighed:
    """Weights of a sentence's n-grams, order by order, their lengths as vectors, and its length."""

    weights: list[dict[Words, float]]
    norms: list[float]
    length: int  # in bigrams, as the authors' code measures it


def cider_d(found: Sequence[Words], references: Sequence[Sequence[Words]]) -> list[float]:
    """A score, 0 to 10, for each segment; that of a corpus is their mean.

    How rare an n-gram is, is counted over the segments' references, so a score depends on the
    corpus; of a single segment it is 0.
    """
    seen: Counter[Words] = Counter()  # segments whose references have the n-gram
    for several in references:
        seen.update({gram for words in several for n in _orders() for gram in ngrams(words, n)})
    segments = math.log(len(references)) if references else 0.0
    return [
        10 * _likeness(_weigh(words, seen, segments), [_weigh(o, seen, segments) for o in several])
        for words, several in zip(found, references, strict=True)
    ]


def _orders() -> range:
    return range(1, ORDERS + 1)


def _weigh(words: Words, seen: Counter[Words], segments: float) -> Weighed:
    weights = [
        {
            gram: count * (segments - math.log(max(1, seen[gram])))
            for gram, count in ngrams(words, order).items()
        }
        for order in _orders()
    ]
    norms = [math.sqrt(sum(w * w for w in vector.values())) for vector in weights]
    return Weighed(weights, norms, max(0, len(words) - 1))


def _likeness(made: Weighed, several: Sequence[Weighed]) -> float:
    """Mean over references and orders of the clipped cosine, times the penalty for length."""
    return math.fsum(_clipped(made, other) for other in several) / len(several) / ORDERS


def _clipped(made: Weighed, other: Weighed) -> float:
    total = 0.0
    for order in range(ORDERS):
        theirs = other.weights[order]
        shared = sum(
            min(weight, theirs[gram]) * theirs[gram]
            for gram, weight in made.weights[order].items()
            if gram in theirs
        )
        size = made.norms[order] * other.norms[order]
        total += shared / size if size else shared
    return total * math.exp(-((made.length - other.length) ** 2) / (2 * SIGMA**2))
