"""How a person asks a model about a video, by the task that the model is made for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from jaxtyping import Float, Int
from torch import Tensor

from reeltune.types import Pair

Given = Literal["question", "options", "said"]  # what a person gives beside the video
Scores = Callable[[Any, Any, Int[Tensor, " B"], Sequence[Pair]], Float[Tensor, "B ..."]]


@dataclass(frozen=True, kw_only=True)
class Asking:
    """What a model of a task is given, and what its answer is.

    `scores` gives for a model, N clips as it read them, the clip of each of B pairs, and these
    pairs (B, A) scores of answers, or (B,) ratings.
    """

    gives: tuple[Given, ...]  # the caption of a pair is the question, or what is said
    scores: Scores
    answers: Callable[[Any, Pair], Sequence[str]] | None  # what is scored; None: a rating is given


def listed(model: Any, pair: Pair) -> Sequence[str]:
    """The model's own list of answers."""
    answers: Sequence[str] = model.answers
    return answers
