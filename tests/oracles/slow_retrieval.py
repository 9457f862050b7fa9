"""Retrieval by definition: loops over queries and candidates, nothing vectorised."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from reeltune.evaluation.protocols import ProtocolCard, split_hash
from reeltune.types import Pair


def pairs_of(videos: Sequence[str], tags: Sequence[tuple[str, ...]] = ()) -> list[Pair]:
    """One pair for each given video id, with captions that tell them apart."""
    given = tags or [()] * len(videos)
    rows = enumerate(zip(videos, given, strict=True))
    return [
        Pair(video=video, path=Path(f"{video}.mp4"), caption=f"caption {i}", tags=tag)
        for i, (video, tag) in rows
    ]


def card_for(pairs: Sequence[Pair], gallery: Sequence[str], /, **changed: object) -> ProtocolCard:
    """The card of these data."""
    fields: dict[str, object] = {
        "dataset": "toybox",
        "split": "test",
        "split_hash": split_hash(pairs, gallery),
        "captions": "multiple",
        "frames": "uniform 12",
        "model": "vop",
        "fingerprint": "f00d",
        "seed": 1,
        "queries": len(pairs),
        "gallery": len(gallery),
    }
    return ProtocolCard(**(fields | changed))  # type: ignore[arg-type]


def slow_position(own: float, wrong: Sequence[float]) -> int:
    """Place of an answer among wrong ones, each of which goes first if it is tied."""
    return 1 + sum(1 for score in wrong if score >= own)


def slow_t2v(scores: np.ndarray, pairs: Sequence[Pair], gallery: Sequence[str]) -> list[int]:
    found = []
    for i, pair in enumerate(pairs):
        own = next(scores[i, j] for j, video in enumerate(gallery) if video == pair.video)
        wrong = [scores[i, j] for j, video in enumerate(gallery) if video != pair.video]
        found.append(slow_position(own, wrong))
    return found


def videos_in_order(pairs: Sequence[Pair]) -> list[str]:
    return list(dict.fromkeys(pair.video for pair in pairs))


def slow_v2t_grouped(
    scores: np.ndarray, pairs: Sequence[Pair], gallery: Sequence[str]
) -> list[int]:
    """CLIP4Clip: every candidate video stands for the best of its captions."""
    found = []
    for query in videos_in_order(pairs):
        j = list(gallery).index(query)
        best = {
            other: max(scores[i, j] for i, pair in enumerate(pairs) if pair.video == other)
            for other in videos_in_order(pairs)
        }
        own = best.pop(query)
        found.append(slow_position(own, list(best.values())))
    return found


def slow_v2t_any(
    scores: np.ndarray, pairs: Sequence[Pair], gallery: Sequence[str]
) -> tuple[list[int], list[float]]:
    """Rank of the best own caption among all captions, and the average precision of all own."""
    found, precisions = [], []
    for query in videos_in_order(pairs):
        j = list(gallery).index(query)
        answers = [(scores[i, j], pair.video == query) for i, pair in enumerate(pairs)]
        answers.sort(key=lambda answer: (-answer[0], answer[1]))  # of tied ones, the wrong first
        right, at_each = 0, []
        for position, (_, is_right) in enumerate(answers, start=1):
            if is_right:
                right += 1
                at_each.append(right / position)
        wrong = [score for score, is_right in answers if not is_right]
        found.append(slow_position(max(s for s, is_right in answers if is_right), wrong))
        precisions.append(sum(at_each) / len(at_each))
    return found, precisions
