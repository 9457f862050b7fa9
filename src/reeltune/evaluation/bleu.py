"""BLEU of orders 1 to 4 over a corpus (Papineni et al., 2002), as pycocoevalcap counts it."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Shaped

Words = Sequence[str]
ORDERS = 4
TINY, SMALL = 1e-15, 1e-9  # what pycocoevalcap adds to counts, so that nothing is divided by 0


def bleu(found: Sequence[Words], references: Sequence[Sequence[Words]]) -> list[float]:
    """BLEU-1 to BLEU-4, 0 to 1, of one sentence per segment against all its references."""
    return bleu_of(np.sum([counted(*one) for one in zip(found, references, strict=True)], axis=0))


def counted(words: Words, several: Sequence[Words]) -> list[int]:
    """The counts that a segment adds to BLEU: right n-grams and all n-grams by order, then its
    length and the wanted length.

    An n-gram is right as often as the reference that has it most; the length wanted is that of the
    reference nearest in length, the shorter of two.
    """
    right, made = [], []
    for order in range(1, ORDERS + 1):
        counts = ngrams(words, order)
        most: Counter[Words] = Counter()
        for other in several:
            most |= ngrams(other, order)
        right.append((counts & most).total())
        made.append(counts.total())
    wanted = min((abs(len(other) - len(words)), len(other)) for other in several)[1]
    return [*right, *made, len(words), wanted]


def bleu_of(counts: Shaped[np.ndarray, " C"]) -> list[float]:
    """BLEU-1 to BLEU-4 of what all segments of a corpus add, or of their mean."""
    right, made, (length, wanted) = counts[:ORDERS], counts[ORDERS:-2], counts[-2:]
    ratio = float((length + TINY) / (wanted + SMALL))
    brevity = math.exp(1 - 1 / ratio) if ratio < 1 else 1.0
    precisions = ((right + TINY) / (made + SMALL)).tolist()
    return [
        brevity * math.prod(precisions[:order]) ** (1 / order) for order in range(1, ORDERS + 1)
    ]


def bleus_of(counts: Float[np.ndarray, "R C"]) -> Float[np.ndarray, "R 4"]:
    """What `bleu_of` makes of each of R rows, such as draws of a bootstrap.

    Raises FloatingPointError for rows that no segments add, such as negative ones.
    """
    right, made = counts[:, :ORDERS], counts[:, ORDERS:-2]
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        ratio = (counts[:, -2] + TINY) / (counts[:, -1] + SMALL)
        brevity = np.exp(1 - 1 / np.minimum(ratio, 1))
        precisions = np.cumprod((right + TINY) / (made + SMALL), axis=1)
        roots = precisions ** (1 / np.arange(1, ORDERS + 1))
    return np.asarray(brevity[:, None] * roots)


def ngrams(words: Words, order: int) -> Counter[Words]:
    """How often each run of `order` words stands in a sentence."""
    return Counter(tuple(words[i : i + order]) for i in range(len(words) - order + 1))
