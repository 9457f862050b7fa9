"""What the tester of hybrid_space prints of a model and a collection, in plain loops.

Written from a description of it. Items are encoded 128 at once, in the order of the files. Each
matrix of scores, cosines and Jaccard, is brought to 0 .. 1 by its own lowest and highest score;
0.6 of the first and 0.4 of the second are added. A query's rank is that of its best right answer
among everything, which for a video is its best caption among all captions. Of equal scores, as two
videos with one caption have, that of a wrong answer comes first.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from oracles.released_dual_encoding import Released

AT_ONCE, ALPHA = 128, 0.6
Text = tuple[str, list[int], Tensor]  # video, ids, bag of words


def official_figures(
    released: Released, clips: dict[str, Tensor], texts: Sequence[Text]
) -> dict[str, float]:
    """R@1, R@5, R@10, MdR, MnR and mAP (0 to 1) of both directions, such as "t2v R@1"."""
    scores = official_scores(released, list(clips.values()), texts)
    return figures_by(scores, list(clips), texts)


def figures_by(
    scores: list[list[float]], videos: Sequence[str], texts: Sequence[Text]
) -> dict[str, float]:
    """The figures of scores of texts x videos."""
    right = [[video == own for video in videos] for own, _, _ in texts]
    there = _figures("t2v", scores, right)
    back = _figures(
        "v2t",
        [list(column) for column in zip(*scores, strict=True)],
        [list(c) for c in zip(*right, strict=True)],
    )
    return there | back


def official_scores(
    released: Released, clips: Sequence[Tensor], texts: Sequence[Text]
) -> list[list[float]]:
    """Texts x videos."""
    seen, read = [], []
    for start in range(0, len(clips), AT_ONCE):
        seen += zip(*released.watch(list(clips[start : start + AT_ONCE])), strict=True)
    for start in range(0, len(texts), AT_ONCE):
        some = texts[start : start + AT_ONCE]
        bags = torch.stack([bag for _, _, bag in some])
        read += zip(*released.read([ids for _, ids, _ in some], bags), strict=True)
    cosines = [[_cosine(t[0], v[0]) for v in seen] for t in read]
    if not released.concepts:
        return cosines
    shares = [[_jaccard(t[1], v[1]) for v in seen] for t in read]
    first, second = _brought_to_one(cosines), _brought_to_one(shares)
    rows = zip(first, second, strict=True)
    return [
        [ALPHA * a + (1 - ALPHA) * b for a, b in zip(one, other, strict=True)]
        for one, other in rows
    ]


def _cosine(a: Tensor, b: Tensor) -> float:
    x, y = a.double().tolist(), b.double().tolist()
    dot = sum(p * q for p, q in zip(x, y, strict=True))
    return dot / math.sqrt(sum(p * p for p in x)) / math.sqrt(sum(q * q for q in y))


def _jaccard(a: Tensor, b: Tensor) -> float:
    x, y = a.double().tolist(), b.double().tolist()
    pairs = list(zip(x, y, strict=True))
    return sum(min(pair) for pair in pairs) / sum(max(pair) for pair in pairs)


def _brought_to_one(scores: list[list[float]]) -> list[list[float]]:
    low = min(min(row) for row in scores)
    range_ = max(max(row) for row in scores) - low
    return [[(score - low) / range_ for score in row] for row in scores]


def _figures(way: str, scores: list[list[float]], right: list[list[bool]]) -> dict[str, float]:
    ranks, precisions = [], []
    for row, answers in zip(scores, right, strict=True):
        order = sorted(range(len(row)), key=lambda place: (-row[place], answers[place]))
        found = [rank for rank, place in enumerate(order, 1) if answers[place]]
        ranks.append(found[0])
        precisions.append(np.mean([hits / rank for hits, rank in enumerate(found, 1)]))
    recalls = {f"{way} R@{k}": 100 * np.mean([rank <= k for rank in ranks]) for k in (1, 5, 10)}
    others = {"MdR": np.median(ranks), "MnR": np.mean(ranks), "mAP": np.mean(precisions)}
    return {
        name: float(value)
        for name, value in {**recalls, **{f"{way} {n}": v for n, v in others.items()}}.items()
    }
