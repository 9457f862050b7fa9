"""Questions with given answers, of which a model chooses one (TGIF-Action, TGIF-Transition)."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

from reeltune.batches.loader import ClipReader, Text
from reeltune.evaluation.beside import Asked
from reeltune.evaluation.items import items_card
from reeltune.evaluation.means import MeansReport, means_report
from reeltune.evaluation.protocols import Named
from reeltune.tasks._asking import answered, items_of, require, tiny_asked
from reeltune.tasks.finding.asking import Asking
from reeltune.tasks.finding.task import Task
from reeltune.types import Pair, Split

NAME = "multiple-choice"
RULES = ("the option with the highest score is the answer", "a tie counts as wrong")


@runtime_checkable
class Chooser(Protocol):
    """A model that scores the options of questions.

    `rows` says which of the N clips in `video`, as `read_video` made it, each question is about.
    """

    name: str
    fingerprint: str

    def read_video(self, frames: Tensor, mask: Tensor) -> Any:
        """N clips as `choose` wants them; `mask` is True where there is a frame."""
        ...

    def choose(
        self,
        video: Any,
        rows: Int[Tensor, " B"],
        questions: Sequence[str],
        options: Sequence[Sequence[str]],
    ) -> Float[Tensor, "B O"]:
        """The score of each of O options of B questions."""
        ...


def score(
    model: Chooser, video: Any, rows: Int[Tensor, " B"], pairs: Sequence[Pair]
) -> Float[Tensor, "B O"]:
    """The score of each option of each pair."""
    return model.choose(video, rows, [p.caption for p in pairs], [p.options for p in pairs])


def judge(
    model: Chooser,
    reader: ClipReader,
    split: Split,
    named: Named,
    *,
    texts: Mapping[str, Text],
    quick: bool,
    asked: Asked,
) -> MeansReport:
    """The share of questions answered rightly, over all questions; intervals by whole videos.

    Errors: `DataError` for a split with a pair that offers no options.
    """
    require(split, NAME, "options", lambda pair: bool(pair.options) and pair.answer is not None)
    scores = answered(model, reader, split.pairs, score)
    items = items_of(split.pairs)
    right = {
        item: 100.0 * _is_right(row, pair.options.index(pair.answer))
        if pair.answer in pair.options
        else 0.0
        for item, row, pair in zip(items, scores, split.pairs, strict=True)
    }
    card = items_card(NAME, model, reader.policy, split, named, RULES)
    return means_report({"accuracy": right}, items, card)


def _is_right(scores: Float[Tensor, " O"], label: int) -> bool:
    others = scores.clone()
    others[label] = -float("inf")
    return bool(scores[label] > others.max())


def higher(videos: int) -> dict[str, float | None]:
    """Figures that epochs may be chosen by, and the most that each can be."""
    return {"accuracy": 100.0}


def tiny() -> Chooser:
    """A UniVL with random weights and a head for options."""
    model: Chooser = tiny_asked(NAME)
    return model


TASK = Task(
    does="chooses among the answers that a question offers",
    report=MeansReport,
    wants=("tokenize", "read_video", "choose"),
    judge=judge,
    main={"accuracy": "accuracy"},
    higher=higher,
    chosen_by="accuracy",
    tiny=tiny,
    asking=Asking(
        gives=("question", "options"), scores=score, answers=lambda model, pair: pair.options
    ),
)
