"""Captions that a person called wrong for a moment: where they stand, and learning from them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from reeltune.batches.loader import ClipReader, readable, stack
from reeltune.runs.place import RunPlace
from reeltune.tasks.retrieval import vector_scores
from reeltune.training.step import Step
from reeltune.types import Pair, Split, Tokens, collect_left_out

AT_ONCE = 8  # wrong answers that a step takes beside its batch
HIGHEST_SCALE = 4.6052  # log 100, where CLIP stops
Answers = list[tuple[Pair, Pair]]  # a right and a wrong answer to the same words


@dataclass(frozen=True)
class WrongPlaces:
    """At which place each held-out moment stands for words that it was called wrong for, from 1,
    among all held-out moments; the further down, the better."""

    candidates: int
    before: list[int]
    after: list[int]

    @property
    def lower(self) -> int:
        """How many stand further down than before."""
        return sum(a > b for a, b in zip(self.after, self.before, strict=True))

    @property
    def higher(self) -> int:
        """How many stand further up than before."""
        return sum(a < b for a, b in zip(self.after, self.before, strict=True))

    def as_dict(self) -> dict[str, Any]:
        """The places and counts as plain data."""
        return asdict(self) | {"lower": self.lower, "higher": self.higher}

    def sentence(self) -> str:
        """What became of them, in words; it claims nothing of other moments."""
        count = len(self.before)
        before, after = (float(np.mean(places)) for places in (self.before, self.after))
        return (
            f"held-out moments marked wrong: {count}, of which {self.lower} went down and "
            f"{self.higher} went up (mean place {before:.1f} before, {after:.1f} after, of "
            f"{self.candidates})"
        )


def wrong_taken(reader: ClipReader, split: Split, place: RunPlace) -> Split:
    """The split without wrong answers whose clips cannot be read; it names them."""
    if not split.wrong:
        return split
    kept, faults = readable(reader, split.wrong, place.progress("decoding"))
    left_out = (*split.left_out, *collect_left_out("wrong answer", faults.items()))
    return replace(split, wrong=tuple(kept), left_out=left_out)


def wrong_places(model: Any, reader: ClipReader, split: Split) -> tuple[int, list[int]]:
    """How many moments a split has, the wrong ones among them, and the place of each wrong one for
    its words; of equals it has the upper place."""
    clips = list({pair.video: pair for pair in (*split.pairs, *split.wrong)}.values())
    column = {pair.video: place for place, pair in enumerate(clips)}
    scores = vector_scores(model, reader, [pair.caption for pair in split.wrong], clips)
    places = [
        1 + int((row > row[column[pair.video]]).sum())
        for row, pair in zip(scores, split.wrong, strict=True)
    ]
    return len(clips), places


def answers_of(split: Split) -> Answers:
    """Each wrong answer with the right ones to the same words, if the split has any."""
    right: dict[str, list[Pair]] = {}
    for pair in split.pairs:
        right.setdefault(pair.caption, []).append(pair)
    return [(own, wrong) for wrong in split.wrong for own in right.get(wrong.caption, ())]


class Against:
    """A step that also learns from wrong answers that a person named.

    For words q with a right moment v and a wrong one w it adds -log sigmoid(s (q.v - q.w)) at the
    temperature of the model: InfoNCE with w as the only other answer. Each step takes some of them,
    drawn by torch's own generator, which a run that goes on has again.
    """

    def __init__(self, step: Step, model: Any, reader: ClipReader, answers: Answers) -> None:
        self._step, self._model, self._reader, self._answers = step, model, reader, answers
        self.reads = step.reads

    def __call__(self, batch: Any, share: float = 1.0) -> dict[str, float]:
        figures = self._step(batch, share)
        drawn = torch.randperm(len(self._answers))[:AT_ONCE].tolist()
        loss = self._loss([self._answers[number] for number in drawn])
        (share * loss).backward()
        wrong = float(loss.detach())
        return {**figures, "loss": figures["loss"] + wrong, "marked wrong": wrong}

    def _loss(self, answers: Answers) -> torch.Tensor:
        """The mean over some wrong answers."""
        model = self._model
        tokens = model.tokenize([right.caption for right, _ in answers])
        text = model.encode_text(tokens).float()  # (K, D)
        right, wrong = (
            model.similarity(text, self._videos(side, tokens)).diagonal()
            for side in zip(*answers, strict=True)
        )
        scale = model.logit_scale.float().clamp(max=HIGHEST_SCALE).exp().squeeze()
        return F.softplus(scale * (wrong - right)).mean()

    def _videos(self, clips: Sequence[Pair], tokens: Tokens) -> torch.Tensor:
        """Vectors (K, D) of clips."""
        group = torch.arange(len(clips))
        batch = stack([self._reader.read(clip) for clip in clips], tokens, group)
        found: torch.Tensor = self._model.encode_video(batch.frames, batch.mask)
        return found.float()
