"""ROUGE-L by longest common subsequences (Lin, 2004), as pycocoevalcap takes it."""

from collections.abc import Sequence

Words = Sequence[str]
BETA = 1.2  # weight of recall against precision


def rouge_l(found: Sequence[Words], references: Sequence[Sequence[Words]]) -> list[float]:
    """A score, 0 to 1, for each segment; that of a corpus is their mean.

    Precision and recall are each the best over the references, not of one and the same.
    """
    return [_of_segment(*pair) for pair in zip(found, references, strict=True)]


def _of_segment(words: Words, several: Sequence[Words]) -> float:
    if not words:
        return 0.0
    common = [longest_common(words, other) for other in several]
    precision = max(common) / len(words)
    recall = max(
        (n / len(other) for n, other in zip(common, several, strict=True) if other), default=0.0
    )
    if precision == 0 or recall == 0:
        return 0.0
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)


def longest_common(a: Words, b: Words) -> int:
    """Length of the longest subsequence of both, by one row of the usual table at a time."""
    row = [0] * (len(b) + 1)
    for word in a:
        before = 0  # the entry to the left and above
        for place, other in enumerate(b, 1):
            above = row[place]
            row[place] = before + 1 if word == other else max(above, row[place - 1])
            before = above
    return row[-1]
