"""The losses beside VoP's contrastive one by loops, as their sentences say them."""

import math
from collections.abc import Sequence

Rows = Sequence[Sequence[float]]


def slow_hardest_matching(logits: Rows, video: Sequence[int]) -> float:
    ways = []
    for scores in (logits, list(zip(*logits, strict=True))):
        costs = []
        for i, row in enumerate(scores):
            wrong = [score for j, score in enumerate(row) if video[j] != video[i]]
            if wrong:
                own = math.exp(row[i]) / (math.exp(row[i]) + math.exp(max(wrong)))
                costs.append(-math.log(own))
        ways.append(sum(costs) / len(costs) if costs else 0.0)
    return sum(ways) / 2


def slow_distillation(logits: Rows, taught: Rows) -> float:
    ways = []
    for student, teacher in ((logits, taught), (zip(*logits), zip(*taught))):  # noqa: B905
        costs = []
        for row, wanted in zip(student, teacher, strict=True):
            q, p = _softmax(row), _softmax(wanted)
            costs.append(sum(b * math.log(b / a) for a, b in zip(q, p, strict=True)))
        ways.append(sum(costs) / len(costs))
    return sum(ways) / 2


def slow_swap(frames: Sequence[int], swapped: bool) -> list[int]:
    """Real frames of one video, the halves the other way round."""
    half = len(frames) // 2
    return [*frames[half:], *frames[:half]] if swapped else list(frames)


def slow_order(logits: Sequence[float], swapped: Sequence[bool], frames: Sequence[int]) -> float:
    costs = []
    for logit, was, count in zip(logits, swapped, frames, strict=True):
        chance = 1 / (1 + math.exp(-logit))
        if count > 1:
            costs.append(-math.log(chance if was else 1 - chance))
    return sum(costs) / len(costs) if costs else 0.0


def _softmax(row: Sequence[float]) -> list[float]:
    total = sum(math.exp(value) for value in row)
    return [math.exp(value) / total for value in row]
