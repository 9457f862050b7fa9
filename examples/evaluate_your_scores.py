"""Figures of a matrix of scores that was made elsewhere: `python examples/evaluate_your_scores.py`.

Here a score is the number of words that a caption shares with what is said in a clip; no model
takes part. Any matrix does that has a row for each caption and a column for each video.
"""

from collections.abc import Sequence

import numpy as np

from reeltune.data.toybox import Config
from reeltune.evaluation.compare import compare
from reeltune.evaluation.protocols import ProtocolCard, split_hash
from reeltune.evaluation.retrieval import Report, retrieval_report
from reeltune.types import Pair


def report_of(name: str, scores: np.ndarray, pairs: Sequence[Pair], videos: list[str]) -> Report:
    """The figures with the card that says how they came about."""
    card = ProtocolCard(
        dataset="toybox tiny",
        split="test",
        split_hash=split_hash(pairs, videos),
        captions="multiple",
        frames="none",
        model=name,
        fingerprint="",
        seed=None,
        queries=len(pairs),
        gallery=len(videos),
    )
    return retrieval_report(scores, pairs, videos, card)


def shared_words(toybox: Config, pairs: Sequence[Pair], videos: list[str]) -> np.ndarray:
    """(captions, videos): how many words of the caption are heard in the video."""
    heard = {pair.video: set(toybox.transcript(pair).lower().split()) for pair in pairs}
    captions = [set(pair.caption.lower().split()) for pair in pairs]
    return np.array([[len(words & heard[video]) for video in videos] for words in captions], float)


def main() -> None:
    toybox = Config(size="tiny")
    pairs = toybox.read("test").pairs
    videos = list(dict.fromkeys(pair.video for pair in pairs))
    chance = np.random.default_rng(0).random((len(pairs), len(videos)))
    words = report_of("shared words", shared_words(toybox, pairs, videos), pairs, videos)
    by_chance = report_of("chance", chance, pairs, videos)
    for report in (by_chance, words):
        low, high = report.intervals["t2v R@1"]
        figures = ", ".join(f"{name} {report.t2v[name]:.1f}" for name in ("R@1", "R@5", "MdR"))
        print(f"{report.protocol.model}: {figures}; R@1 is in {low:.1f} to {high:.1f}")
    print(compare(by_chance, words).sentences()[0])


if __name__ == "__main__":
    main()
