"""A task from outside: which word does a caption of a clip begin with?"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from reeltune.batches.in_order import clip_batches, gallery_of
from reeltune.evaluation.items import items_card
from reeltune.evaluation.means import MeansReport, means_report
from reeltune.tasks.finding.task import Task
from reeltune.types import Tokens


class Guesser:
    """Says a word by the brightness of a clip's first number."""

    name, fingerprint, judged_as = "guesser", "of no weights", "tasks.first_word"
    config = type("Config", (), {"features": 1})

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        ids = torch.zeros(len(texts), 1, dtype=torch.long)
        return Tokens(ids, torch.ones_like(ids, dtype=torch.bool))

    def guess(self, frames: Tensor, mask: Tensor) -> list[str]:
        return ["a" if clip[0, 0] > 0 else "the" for clip in frames]


def judge(model: Any, reader: Any, split: Any, named: Any, **_: Any) -> MeansReport:
    """A share of 100 for each video one of whose captions begins so."""
    gallery, clips = gallery_of(split.pairs)
    (words,) = (model.guess(*batch) for batch in clip_batches(reader, clips, len(clips)))
    begun = {(pair.video, pair.caption.split()[0]) for pair in split.pairs}
    right = {v: 100.0 * ((v, word) in begun) for v, word in zip(gallery, words, strict=True)}
    card = items_card(
        "first-word", model, reader.policy, split, named, ["the first word of any caption"]
    )
    return means_report({"accuracy": right}, {video: video for video in gallery}, card)


def higher(videos: int) -> Mapping[str, float | None]:
    """The accuracy alone."""
    return {"accuracy": 100.0}


TASK = Task(
    does="says the first word of a caption",
    report=MeansReport,
    wants=("guess",),
    judge=judge,
    main={"accuracy": "accuracy"},
    higher=higher,
    chosen_by="accuracy",
    tiny=Guesser,
    reads_captions=False,
)
