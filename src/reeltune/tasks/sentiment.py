"""How positive what is said and shown in a clip is, from -3 to 3 (CMU-MOSI)."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

from reeltune.batches.loader import ClipReader, Text
from reeltune.evaluation.beside import Asked
from reeltune.evaluation.items import items_card
from reeltune.evaluation.protocols import Named
from reeltune.evaluation.sentiment import SentimentReport, sentiment_report
from reeltune.tasks._asking import answered, items_of, require, tiny_asked
from reeltune.tasks.finding.asking import Asking
from reeltune.tasks.finding.task import Task
from reeltune.types import Pair, Split

NAME = "sentiment"
RULES = (
    "BA and F1: negative against non-negative",
    "non-0: negative against positive, without items rated 0",
    "F1 weighted by the frequency of signs",
)


@runtime_checkable
class Rater(Protocol):
    """A model that rates what is said in each of B clips; `rows` says which of the N in `video`, as
    `read_video` made it, each is."""

    name: str
    fingerprint: str

    def read_video(self, frames: Tensor, mask: Tensor) -> Any:
        """N clips as `rate` wants them; `mask` is True where there is a frame."""
        ...

    def rate(self, video: Any, rows: Tensor, said: Sequence[str]) -> Float[Tensor, " B"]:
        """The ratings of B things that are said."""
        ...


def score(
    model: Rater, video: Any, rows: Int[Tensor, " B"], pairs: Sequence[Pair]
) -> Float[Tensor, " B"]:
    """The rating of what is said in the clip of each pair."""
    return model.rate(video, rows, [pair.caption for pair in pairs])


def judge(
    model: Rater,
    reader: ClipReader,
    split: Split,
    named: Named,
    *,
    texts: Mapping[str, Text],
    quick: bool,
    asked: Asked,
) -> SentimentReport:
    """Accuracies and F1 of signs, mean absolute error and correlation of ratings.

    Errors: `DataError` for a split with a clip that has no rating.
    """
    require(split, NAME, "rating", lambda pair: pair.rating is not None)
    given = answered(model, reader, split.pairs, score)
    items = items_of(split.pairs)
    ratings = {
        item: (float(one), float(pair.rating or 0))
        for item, one, pair in zip(items, given, split.pairs, strict=True)
    }
    return sentiment_report(
        ratings, items, items_card(NAME, model, reader.policy, split, named, RULES)
    )


def higher(videos: int) -> dict[str, float | None]:
    """Figures of which more is better; of MAE less is."""
    percent = ("BA", "F1", "BA non-0", "F1 non-0", "Acc-7")
    return {**dict.fromkeys(percent, 100.0), "Corr": 1.0}


def tiny() -> Rater:
    """A UniVL with random weights and a head for ratings."""
    model: Rater = tiny_asked(NAME)
    return model


TASK = Task(
    does="rates what is said in a clip",
    report=SentimentReport,
    wants=("tokenize", "read_video", "rate"),
    judge=judge,
    main={name: name for name in ("BA", "F1", "MAE", "Corr")},
    higher=higher,
    chosen_by="BA",
    tiny=tiny,
    asking=Asking(gives=("said",), scores=score, answers=None),
)
