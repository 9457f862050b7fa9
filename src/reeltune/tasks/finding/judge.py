"""Finds the task for which a model is made, and judges the model by it."""

from collections.abc import Callable, Mapping
from typing import Any

from reeltune.batches.loader import ClipReader, Text
from reeltune.batches.unread import unread
from reeltune.errors import ConfigError
from reeltune.evaluation.beside import NOTHING, Asked
from reeltune.evaluation.protocols import Named, V2tRule
from reeltune.evaluation.report import AnyReport
from reeltune.registry import find, given, names
from reeltune.tasks.finding.task import Task
from reeltune.types import LeftOut, Split

USUAL = "retrieval"  # the task of a model that names none


def all_tasks() -> list[Task]:
    """The task of every file in `reeltune/tasks`, by name."""
    return [find("tasks", name).TASK for name in names("tasks")]


def task_of(model: Any) -> Task:
    """The task that a model is judged by.

    Errors: `ConfigError` for a task that there is not, and for a model that lacks what it calls.
    """
    name, task = _named_by(model)
    if lacks := task.lacks(model):
        raise ConfigError(
            f"{model.name} is judged as {name}, which calls {', '.join(task.wants)}, "
            f"and it has no {', '.join(lacks)}; write these methods, or name another task by its "
            "judged_as"
        )
    return task


def judge(
    model: Any,
    reader: ClipReader,
    split: Split,
    named: Named,
    texts: Mapping[str, Text] | None = None,
    quick: bool = False,
    asked: Asked = NOTHING,
) -> AnyReport:
    """Figures of a model on a split, by its own task; `quick` is for validation.

    What is `asked` for beside them a model has that is judged by scores (`require_scores`).
    """
    task = task_of(model)
    return task.judge(model, reader, split, named, texts=texts or {}, quick=quick, asked=asked)


def require_scores(model: Any, asked: Asked) -> None:
    """Raise ConfigError if scores are asked for and the model is judged without any, or without
    what chooses candidates."""
    name, task = _named_by(model)
    if asked != NOTHING and not task.has_scores:
        raise ConfigError(
            f"{model.name} is judged as {name}, where texts and videos have no scores; "
            "leave out --scores, --post and --rerank"
        )
    if asked.rerank is None:
        return
    if not task.scores_pairs:
        raise ConfigError(
            f"{model.name} is judged as {name}, by scores of vectors alone, and --rerank scores "
            "pairs again that see text and video at once; leave it out"
        )
    if asked.rerank.by is None and asked.rerank.chooser is None:
        asked.rerank.require_vectors(model)


def require_not_asked_in_vain(model: Any, split: Split) -> None:
    """Raise ConfigError if pairs of a split ask, and the model, or that of settings, finds or
    describes videos: it would take questions for captions."""
    task, name = _named_by(model)[1], split.pairs[0].video
    reads = task.has_scores or task.writes is not None
    if reads and any(pair.answer is not None for pair in split.pairs):
        raise ConfigError(
            f"the data ask about their clips, such as {name}, and a model that {task.does} would "
            "take the questions for captions; set config.task, or take data that do not ask, such "
            "as benchmark toybox"
        )


def has_scores(model: Any) -> bool:
    """Whether texts and videos have scores where a model, or that of settings, is judged."""
    return _named_by(model)[1].has_scores


def validation(
    model: Any,
    reader: ClipReader,
    split: Split,
    texts: Mapping[str, Text] | None = None,
    v2t: V2tRule = "grouped",
) -> Callable[[], dict[str, float]]:
    """Figures of a split by which weights are chosen; `v2t` is the rule that they are tested by."""
    named = Named("validation", "val", v2t=v2t)

    def validate() -> dict[str, float]:
        return judge(model, reader, split, named, texts, True).values()

    return validate


def require_judged_by(name: str, model: Any, videos: int) -> None:
    """Raise ConfigError unless validation on so many videos gives a figure of that name, of which
    more is better; `model` is the model, or its settings before there is one."""
    known = _named_by(model)[1].higher(videos)
    if name not in known:
        lower = ", of which less is better" if name.endswith((" MdR", " MnR")) else ""
        raise ConfigError(
            f"training.judged_by is {name}{lower}, and an epoch is chosen by the highest of a "
            f"figure that validation gives; give --set training.judged_by=NAME with one of "
            f"{', '.join(known)}"
        )


def chosen_by(model: Any) -> str:
    """The figure by which epochs of a model are chosen where nobody names another; `model` is the
    model, or its settings."""
    return _named_by(model)[1].chosen_by


def highest_of(name: str, model: Any) -> float | None:
    """The highest possible value of a figure of a model's validation; None if it has no bound."""
    return _named_by(model)[1].higher(2).get(name)


def finer_of(model: Any) -> str | None:
    """The figure that decides between epochs of equal ones, of validation of a model."""
    return _named_by(model)[1].finer


def texts_of(model: Any, options: Any, dataset: str) -> dict[str, Text]:
    """What a model reads of each pair beside its caption, by name, from the dataset's `options`.

    Errors: `ConfigError` for a model that reads, say, transcripts on a dataset without.
    """
    found = {}
    for name in getattr(model, "texts", ()):
        if not hasattr(options, name):
            raise ConfigError(
                f"the model reads {name}s, and dataset {dataset} has none; measure it on one that "
                "has, or train it with --set config.reads=nothing"
            )
        found[name] = getattr(options, name)
    return found


def unread_of(
    model: Any, split: Split, texts: Mapping[str, Text] | None = None, learned: bool = False
) -> tuple[LeftOut, ...]:
    """Captions and other texts of a split that the model cannot read to their end, or at all.

    Where captions are not read when the model is judged, only those that it learns from (`learned`)
    count.
    """
    captions = split.pairs if learned or task_of(model).reads_captions else ()
    found = unread(model.tokenize, ((pair.video, pair.caption) for pair in captions), "caption")
    for name, text in (texts or {}).items():
        said = {pair.video: text(pair) for pair in split.pairs}
        found += unread(model.tokenize, ((video, t) for video, t in said.items() if t), name)
    return found


def _named_by(model: Any) -> tuple[str, Task]:
    """The task that a model, or its settings, names, after its name; it stands in their code."""
    name = getattr(model, "judged_as", USUAL)
    return name, find("tasks", given(name)).TASK
