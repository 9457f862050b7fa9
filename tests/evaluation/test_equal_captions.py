"""Videos with the very same caption, which do not compete with each other."""

from pathlib import Path

import numpy as np

from reeltune.evaluation.equal_captions import shares_captions, without_equals
from reeltune.evaluation.metrics import ranks
from reeltune.types import Pair


def pair(video: str, caption: str) -> Pair:
    return Pair(video=video, path=Path(video), caption=caption)


def test_each_video_of_a_caption_is_ranked_among_those_that_are_wrong_for_it() -> None:
    captions = ["dog", "dog", "cat", "dog", "cat"]
    pairs = [pair(f"v{number}", caption) for number, caption in enumerate(captions)]
    gallery = ["v3", "v0", "v4", "v1", "v2"]
    scores = np.random.default_rng(0).standard_normal((5, 5)).astype(np.float32)
    column = np.array([gallery.index(one.video) for one in pairs])
    found = ranks(without_equals(scores, pairs, gallery), column)
    for row, one in enumerate(pairs):
        wrong = [v for v in gallery if captions[int(v[1])] != one.caption]
        better = sum(scores[row, gallery.index(v)] > scores[row, column[row]] for v in wrong)
        assert found[row] == 1 + better
    assert shares_captions(pairs)


def test_captions_of_one_video_are_not_shared() -> None:
    pairs = [pair("a", "dog"), pair("a", "dog"), pair("b", "cat")]
    scores = np.eye(3, 2, dtype=np.float32)
    assert not shares_captions(pairs)
    assert (without_equals(scores, pairs, ["a", "b"]) == scores).all()
