"""Settings of models that may be asked about a clip, instead of finding it."""

from collections import Counter
from collections.abc import Iterable
from typing import Literal, TypeVar

from pydantic import BaseModel, PositiveInt

from reeltune.errors import ConfigError, DataError
from reeltune.models.opening.material import Material
from reeltune.types import Pair

AskedTask = Literal["multiple-choice", "open-ended", "action-recognition", "sentiment"]
LOSS: dict[AskedTask, str] = {  # the name of the loss that teaches a task
    "multiple-choice": "qa",
    "open-ended": "qa",
    "action-recognition": "action",
    "sentiment": "sentiment",
}
LISTED = ("open-ended", "action-recognition")  # tasks whose answers are a closed list


class Asked(BaseModel):
    """Which task a model has a head for, and the answers that the head tells apart."""

    task: AskedTask | None = None  # None: the model is not asked; its videos are found or described
    answers: tuple[str, ...] = ()  # of a closed list; empty: those of the training split
    most_answers: PositiveInt = 1000  # of them that are kept, the most frequent

    def unread_answers(self) -> dict[str, str]:
        """Settings of answers that nothing reads, as `settings.unread.StatesUnread` has them."""
        if self.task in LISTED:
            read = () if not self.answers else ("most_answers",)
            return dict.fromkeys(read, "where config.answers names all answers")
        under = f"under config.task={self.task or 'null'}, but by {' and '.join(LISTED)}"
        return dict.fromkeys(("answers", "most_answers"), under)

    def outline(self) -> "Asked":
        """As `models.opening.material.Outlined` has it: with numbers for answers not yet known."""
        if self.task not in LISTED or self.answers:
            return self
        numbers = tuple(str(number) for number in range(1, self.most_answers + 1))
        return self.model_copy(update={"answers": numbers})

    @property
    def answer_scores(self) -> int:
        """How many scores the head gives for a clip and a text; 0 without a head.

        Until training names the answers they are taken to be `most_answers`.
        """
        if self.task not in LISTED:
            return 0 if self.task is None else 1
        return len(self.answers) or self.most_answers


Settings = TypeVar("Settings", bound=Asked)


def with_answers_of(config: Settings, material: Material) -> Settings:
    """The settings with the most frequent answers of the first split, where none are named.

    Errors: `DataError` for data that lack what the task asks; `ConfigError` where there are no data
    to take answers from.
    """
    pairs = material.splits[0].pairs if material.splits else ()
    if config.task is not None and pairs:
        require_asks(pairs, config.task, material.title)
    if config.task not in LISTED or config.answers:
        return config
    if not pairs:
        raise ConfigError(
            f"config.task is {config.task}, and config.answers is empty; train the model, which "
            "takes them from the training split, or give --set config.answers=[A, B, ...]"
        )
    return config.model_copy(update={"answers": most_frequent(pairs, config.most_answers)})


def most_frequent(pairs: Iterable[Pair], count: int) -> tuple[str, ...]:
    """The most frequent answers; of equally frequent ones those that come first in the alphabet."""
    counted = Counter(pair.answer for pair in pairs if pair.answer is not None)
    order = sorted(counted, key=lambda answer: (-counted[answer], answer))
    return tuple(order[:count])


def require_asks(pairs: Iterable[Pair], task: AskedTask, title: str) -> None:
    """Raise DataError unless every pair has what the task asks, and as many options as the
    others."""
    lacks = next((pair for pair in pairs if not _asks(pair, task)), None)
    if lacks is not None:
        what = {"multiple-choice": "options", "sentiment": "rating"}.get(task, "answer")
        raise DataError(
            f"{title}: config.task is {task}, and {lacks.video} has no {what}; take data that ask, "
            "such as benchmark toybox-action, or leave config.task out"
        )
    counts = {len(pair.options) for pair in pairs}
    if task == "multiple-choice" and len(counts) > 1:
        raise DataError(
            f"{title}: questions offer {min(counts)} to {max(counts)} options, and a batch needs "
            "as many for each; give every question the same number"
        )


def _asks(pair: Pair, task: AskedTask) -> bool:
    if task == "sentiment":
        return pair.rating is not None
    return pair.answer is not None and (task != "multiple-choice" or bool(pair.options))
