"""Questions without given answers: a model picks from its own list (TGIF-Frame, MSVD-QA)."""

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
from reeltune.tasks.finding.asking import Asking, listed
from reeltune.tasks.finding.task import Task
from reeltune.types import Pair, Split

NAME = "open-ended"
RULES = ("equal to the answer, letter by letter", "an answer outside the model's list is wrong")


@runtime_checkable
class Answerer(Protocol):
    """A model that scores all answers of its list.

    `rows` says which of the N clips in `video`, as `read_video` made it, each question is about.
    """

    name: str
    fingerprint: str
    answers: tuple[str, ...]

    def read_video(self, frames: Tensor, mask: Tensor) -> Any:
        """N clips as `answer` wants them; `mask` is True where there is a frame."""
        ...

    def answer(
        self, video: Any, rows: Int[Tensor, " B"], questions: Sequence[str]
    ) -> Float[Tensor, "B V"]:
        """The score of each of V answers to B questions."""
        ...


def score(
    model: Answerer, video: Any, rows: Int[Tensor, " B"], pairs: Sequence[Pair]
) -> Float[Tensor, "B V"]:
    """The score of each answer of the list, for each pair."""
    return model.answer(video, rows, [pair.caption for pair in pairs])


def judge(
    model: Answerer,
    reader: ClipReader,
    split: Split,
    named: Named,
    *,
    texts: Mapping[str, Text],
    quick: bool,
    asked: Asked,
) -> MeansReport:
    """The share of questions answered rightly over all questions, those included whose answer the
    model's list lacks; intervals by whole videos.

    `known` is the share of questions whose answer is in the list, the most that could be right.

    Errors: `DataError` for a split with a pair that has no answer.
    """
    require(split, NAME, "answer", lambda pair: pair.answer is not None)
    scores = answered(model, reader, split.pairs, score)
    items, listed = items_of(split.pairs), {*model.answers}
    each = list(zip(items, scores, split.pairs, strict=True))
    right = {i: 100.0 * (model.answers[int(row.argmax())] == p.answer) for i, row, p in each}
    known = {item: 100.0 * (pair.answer in listed) for item, _, pair in each}
    card = items_card(NAME, model, reader.policy, split, named, RULES)
    return means_report({"accuracy": right, "known": known}, items, card)


def higher(videos: int) -> dict[str, float | None]:
    """Figures that epochs may be chosen by, and the most that each can be."""
    return {"accuracy": 100.0}


def tiny() -> Answerer:
    """A UniVL with random weights and a head for three answers."""
    model: Answerer = tiny_asked(NAME, ("up", "down", "left"))
    return model


TASK = Task(
    does="answers questions",
    report=MeansReport,
    wants=("tokenize", "read_video", "answer"),
    judge=judge,
    main={"accuracy": "accuracy"},
    higher=higher,
    chosen_by="accuracy",
    tiny=tiny,
    asking=Asking(gives=("question",), scores=score, answers=listed),
)
