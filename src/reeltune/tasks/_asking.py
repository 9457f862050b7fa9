"""Asks a model about every clip of a split, reading each clip once."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from reeltune.batches.in_order import clip_batches, gallery_of
from reeltune.batches.loader import ClipReader
from reeltune.errors import DataError
from reeltune.registry import find
from reeltune.tasks.finding.asking import Scores
from reeltune.types import Pair, Split

CLIPS_AT_ONCE, QUESTIONS_AT_ONCE = 16, 64


@torch.inference_mode()
def answered(
    model: Any, reader: ClipReader, pairs: Sequence[Pair], scores: Scores
) -> list[Float[Tensor, "..."]]:
    """What `scores` gives for each pair, in their order, from what the model read of its clip.

    Errors: `DataError` for a score that is no number, beside which no answer is right or wrong.
    """
    gallery, clips = gallery_of(pairs)
    place = {video: number for number, video in enumerate(gallery)}
    asked: list[list[int]] = [[] for _ in gallery]
    for number, pair in enumerate(pairs):
        asked[place[pair.video]].append(number)
    found: dict[int, Tensor] = {}
    for batch, (frames, mask) in enumerate(clip_batches(reader, clips, CLIPS_AT_ONCE)):
        video, first = model.read_video(frames, mask), batch * CLIPS_AT_ONCE
        here = [n for numbers in asked[first : first + len(mask)] for n in numbers]
        for some in _chunks(here):
            rows = torch.tensor([place[pairs[n].video] - first for n in some])
            given = scores(model, video, rows, [pairs[n] for n in some]).float().cpu()
            _require_numbers(given, [pairs[n] for n in some])
            found.update(zip(some, given, strict=True))
    return [found[number] for number in range(len(pairs))]


def _require_numbers(given: Tensor, pairs: Sequence[Pair]) -> None:
    wrong = given.isnan() | (given == float("inf"))  # below all others is -inf
    bad = wrong.reshape(len(pairs), -1).any(1).tolist()
    if any(bad):
        first = pairs[bad.index(True)]
        raise DataError(
            f"scores of {sum(bad)} of {len(pairs)} items are not finite, first of {first.video}; "
            "look for what is not finite in its frames or in the weights of the model"
        )


def _chunks(numbers: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(numbers), QUESTIONS_AT_ONCE):
        yield numbers[start : start + QUESTIONS_AT_ONCE]


def require(split: Split, task: str, what: str, has: Callable[[Pair], bool]) -> None:
    """Raise DataError unless every pair has what a task asks."""
    lacks = next((pair for pair in split.pairs if not has(pair)), None)
    if lacks is not None:
        raise DataError(
            f"{lacks.video} has no {what}, and the model is judged by {task}; take data that ask, "
            "such as benchmark toybox-action"
        )


def tiny_asked(task: str, answers: Sequence[str] = ()) -> Any:
    """A UniVL with random weights and a head for a task, with its closed list of answers."""
    config = find("models", "univl").Config.tiny()
    return config.model_copy(update={"task": task, "answers": tuple(answers)}).build()


def items_of(pairs: Sequence[Pair]) -> dict[str, str]:
    """The video of each item; items of a video are numbered."""
    seen: dict[str, int] = {}
    items = {}
    for pair in pairs:
        seen[pair.video] = seen.get(pair.video, 0) + 1
        items[f"{pair.video} {seen[pair.video]}"] = pair.video
    return items
