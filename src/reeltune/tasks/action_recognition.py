"""The class of the action in a clip, such as those of Kinetics-400."""

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

NAME = "action-recognition"
RULES = ("a class outside the model's list is wrong", "of equal scores the right class ranks last")
CUTS = (1, 5)


@runtime_checkable
class Classifier(Protocol):
    """A model that scores all classes of its list, by name in `answers`, for N clips.

    One with `views` gives means over so many views of each clip.
    """

    name: str
    fingerprint: str
    answers: tuple[str, ...]

    def read_video(self, frames: Tensor, mask: Tensor) -> Any:
        """N clips as `classify` wants them; `mask` is True where there is a frame."""
        ...

    def classify(self, video: Any) -> Float[Tensor, "N C"]:
        """The score of each of C classes."""
        ...


def score(
    model: Classifier, video: Any, rows: Int[Tensor, " B"], pairs: Sequence[Pair]
) -> Float[Tensor, "B C"]:
    """The score of each class of the list, for the clip of each pair."""
    return model.classify(video)[rows]


def judge(
    model: Classifier,
    reader: ClipReader,
    split: Split,
    named: Named,
    *,
    texts: Mapping[str, Text],
    quick: bool,
    asked: Asked,
) -> MeansReport:
    """The share of clips whose class is the first, or among the first five.

    Errors: `DataError` for a split with a clip that has no class.
    """
    require(split, NAME, "answer", lambda pair: pair.answer is not None)
    scores = answered(model, reader, split.pairs, score)
    places = {answer: place for place, answer in enumerate(model.answers)}
    items = items_of(split.pairs)
    ranks = {
        item: _rank(row, places.get(str(pair.answer)))
        for item, row, pair in zip(items, scores, split.pairs, strict=True)
    }
    shares = {f"top-{cut}": {i: 100.0 * (rank <= cut) for i, rank in ranks.items()} for cut in CUTS}
    rules = (*RULES, f"means of {getattr(model, 'views', 1)} views")
    card = items_card(NAME, model, reader.policy, split, named, rules)
    return means_report(shares, items, card)


def _rank(scores: Float[Tensor, " C"], place: int | None) -> int:
    """The rank of a class, from 1; below all others where the list lacks it."""
    if place is None:
        return max(len(scores), max(CUTS)) + 1
    return int((scores >= scores[place]).sum())


def higher(videos: int) -> dict[str, float | None]:
    """Figures that epochs may be chosen by, and the most that each can be."""
    return {f"top-{cut}": 100.0 for cut in CUTS}


def tiny() -> Classifier:
    """A UniVL with random weights and a head for three classes."""
    model: Classifier = tiny_asked(NAME, ("up", "down", "left"))
    return model


TASK = Task(
    does="names the class of a clip",
    report=MeansReport,
    wants=("tokenize", "read_video", "classify"),
    judge=judge,
    main={"top-1": "top-1", "top-5": "top-5"},
    higher=higher,
    chosen_by="top-1",
    tiny=tiny,
    reads_captions=False,
    asking=Asking(gives=(), scores=score, answers=listed),
)
