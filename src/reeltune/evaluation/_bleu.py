"""BLEU of orders 1 to 4 over a corpus (Papineni et al., 2002), as pycocoevalcap counts it."""

import math
from collections import Counter
from collections.abc import Sequence

Words = Sequence[str]
ORDERS = 4
TINY, SMALL = 1e-15, 1e-9  # what pycocoevalcap adds to counts, so that nothing is divided by 0


def bleu(found: Sequence[Words], references: Sequence[Sequence[Words]]) -> list[float]:
    """BLEU-1 to BLEU-4, 0 to 1, of one sentence per segment against all its references.

    An n-gram is right as often as the reference that has it most; the length wanted of a segment
    is that of the reference nearest in length, the shorter of two.
    """
    right, made = [0] * ORDERS, [0] * ORDERS
    length = wanted = 0
    for words, several in zip(found, references, strict=True):
        length += len(words)
        wanted += min((abs(len(other) - len(words)), len(other)) for other in several)[1]
        for order in range(1, ORDERS + 1):
            counts = ngrams(words, order)
            most: Counter[Words] = Counter()
            for other in several:
                most |= ngrams(other, order)
            right[order - 1] += (counts & most).total()
            made[order - 1] += counts.total()
    ratio = (length + TINY) / (wanted + SMALL)
    brevity = math.exp(1 - 1 / ratio) if ratio < 1 else 1.0
    precisions = [(good + TINY) / (all_ + SMALL) for good, all_ in zip(right, made, strict=True)]
    return [
        brevity * math.prod(precisions[:order]) ** (1 / order) for order in range(1, ORDERS + 1)
    ]


def ngrams(words: Words, order: int) -> Counter[Words]:
    """How often each run of `order` words stands in a sentence."""
    return Counter(tuple(words[i : i + order]) for i in range(len(words) - order + 1))
