"""A model whose scores are no numbers gets no figure: beside NaN every class would be the first."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from reeltune.errors import DataError
from reeltune.evaluation.protocols import Named
from reeltune.tasks import action_recognition, multiple_choice, open_ended, sentiment
from reeltune.tasks.finding.judge import Asked
from reeltune.types import Pair, Split

ANSWERS = ("up", "down", "left")
SPLIT = Split(
    pairs=tuple(
        Pair(
            video=f"clip{n}",
            path=Path(f"clip{n}.mp4"),
            caption="where?",
            answer="up",
            options=ANSWERS,
            rating=1.0,
        )
        for n in range(3)
    ),
    captions="single",
)
TASKS = (action_recognition, multiple_choice, open_ended, sentiment)


class Numbers:
    """Reads clip number i as a single feature i."""

    policy = "numbers"

    def read(self, pair: Pair) -> np.ndarray:
        return np.array([[float(pair.video.removeprefix("clip"))]], np.float32)


class Guesser:
    """Gives each answer of a clip the same score, and those of the last clip `value`."""

    name, fingerprint, answers = "guesser", "of no weights", ANSWERS

    def __init__(self, value: float) -> None:
        self.value = value

    def read_video(self, frames: Tensor, mask: Tensor) -> Tensor:
        return torch.where(frames[:, 0, 0] == 2, self.value, 0.5)

    def classify(self, video: Tensor) -> Tensor:
        return video[:, None].expand(-1, len(ANSWERS))

    def choose(self, video: Tensor, rows: Tensor, questions: Any, options: Any) -> Tensor:
        return self.classify(video)[rows]

    def answer(self, video: Tensor, rows: Tensor, questions: Any) -> Tensor:
        return self.classify(video)[rows]

    def rate(self, video: Tensor, rows: Tensor, said: Any) -> Tensor:
        return video[rows]


def judged(task: Any, value: float) -> Any:
    return task.judge(
        Guesser(value),
        Numbers(),
        SPLIT,
        Named(dataset="clips", split="test", seed=None),
        texts={},
        quick=False,
        asked=Asked(),
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.NAME)
def test_scores_that_are_no_numbers_are_refused(task: Any, value: float) -> None:
    with pytest.raises(DataError, match=r"scores of 1 of 3 items are not finite, first of clip2"):
        judged(task, value)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.NAME)
def test_equal_scores_are_judged(task: Any) -> None:
    assert judged(task, 0.5).values()
