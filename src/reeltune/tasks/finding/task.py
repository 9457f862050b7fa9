"""The interface of tasks, each of which is one way of judging a model, in a file of
`reeltune/tasks`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from reeltune.batches.loader import ClipReader, Text
from reeltune.evaluation.beside import Asked
from reeltune.evaluation.protocols import Named
from reeltune.evaluation.report import AnyReport, ReportKind
from reeltune.tasks.finding.asking import Asking
from reeltune.types import Pair, Split


@runtime_checkable
class Judge(Protocol):
    """Figures of a model on a split, with their card.

    `texts` are what the dataset says of a pair beside its caption, by name. `quick` is for
    validation: it may leave out what takes long, and may settle what the model has to learn from
    held-out data. `asked` is what a person wants beside, of a task that `has_scores`.
    """

    def __call__(
        self,
        model: Any,
        reader: ClipReader,
        split: Split,
        named: Named,
        *,
        texts: Mapping[str, Text],
        quick: bool,
        asked: Asked,
    ) -> AnyReport: ...


# a model, clips, pairs of these, and what is said in each -> a caption of each
Writes = Callable[[Any, ClipReader, Sequence[Pair], Text | None], list[str]]


@dataclass(frozen=True, kw_only=True)
class Task:
    """One way of judging a model; each file in `reeltune/tasks` has one, by the name `TASK`.

    A model, and its settings, say by `judged_as` which task it is made for, as `--model` names a
    model: the name of a file there, or the dotted name of a module elsewhere. One that says nothing
    is judged by retrieval. All that is done with figures afterwards, such as tables, comparisons
    and files, their report offers (`AnyReport`).
    """

    does: str  # a model, in a sentence after its name, such as "finds videos"
    report: ReportKind  # kind of the reports that `judge` gives; tasks may share one
    wants: tuple[str, ...]  # methods of a model that `judge` calls
    judge: Judge
    main: Mapping[str, str]  # figures that are shown where few are, the one that counts first ->
    # how they are called
    higher: Callable[[int], Mapping[str, float | None]]  # what validation on so many videos gives
    # that epochs may be chosen by, since more is better -> the most it can be, None: no bound
    chosen_by: str  # that of them by which epochs are chosen where nobody names another
    finer: str | None = None  # a figure of validation that still differs between epochs where the
    # one they are chosen by is equal; more is better
    tiny: Callable[[], Any]  # a model of a second that is judged so, with random weights
    reads_captions: bool = True  # whether a model reads captions when it is judged
    has_scores: bool = False  # whether texts and videos have scores, which may be stored
    scores_pairs: bool = False  # whether it may score only pairs that vectors have chosen
    asking: Asking | None = None  # how a person asks a model; None: it is not asked
    writes: Writes | None = None  # how a model captions a person's clips; None: it does not

    def suits(self, model: Any) -> bool:
        """Whether a model has everything that this task calls."""
        return not self.lacks(model)

    def lacks(self, model: Any) -> tuple[str, ...]:
        """The names among `wants` that a model lacks."""
        return tuple(name for name in self.wants if not callable(getattr(model, name, None)))
