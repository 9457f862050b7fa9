"""InfoNCE from its definition: for every text and every video, one sum over its candidates."""

import math
from collections.abc import Sequence


def slow_info_nce(logits: Sequence[Sequence[float]], video: Sequence[int] | None = None) -> float:
    """Mean of both directions; a pair of other rows that show one video is no candidate."""
    count = len(logits)
    texts = videos = 0.0
    for own in range(count):
        candidates = [
            other
            for other in range(count)
            if other == own or video is None or video[other] != video[own]
        ]
        over_videos = sum(math.exp(logits[own][other]) for other in candidates)
        over_texts = sum(math.exp(logits[other][own]) for other in candidates)
        texts -= math.log(math.exp(logits[own][own]) / over_videos)
        videos -= math.log(math.exp(logits[own][own]) / over_texts)
    return (texts / count + videos / count) / 2
