"""The interface of every report and every card, so that whoever shows, stores or compares one
need not ask which kind it is."""

from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int
from rich.table import Table

from reeltune.evaluation.comparison import Comparison
from reeltune.evaluation.left_out import BySplit
from reeltune.records import LeftOut


@runtime_checkable
class AnyCard(Protocol):
    """How figures were obtained; a frozen dataclass. Every kind of card says at least this."""

    @property
    def dataset(self) -> str:
        """The dataset, and the collection where it holds several."""
        ...

    @property
    def split(self) -> str:
        """The split that was measured."""
        ...

    @property
    def split_hash(self) -> str:
        """The `protocols.split_hash` of what was measured."""
        ...

    @property
    def asked_hash(self) -> str:
        """The hash of all that was to be measured, before anything was left out."""
        ...

    @property
    def differs(self) -> tuple[str, ...]:
        """The ways in which the data differ from the benchmark's."""
        ...

    @property
    def model(self) -> str:
        """The model by the name that it was opened by."""
        ...

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the model's weights and preprocessing."""
        ...

    @property
    def seed(self) -> int | None:
        """The seed of the training; None if nothing was trained."""
        ...

    @property
    def left_out(self) -> dict[str, tuple[LeftOut, ...]]:
        """What was left out, by split."""
        ...

    @property
    def incomplete(self) -> bool:
        """Whether the split that was measured lacks something."""
        ...

    def markdown(self) -> str:
        """A table of two columns, for a model card."""
        ...


@runtime_checkable
class AnyReport(Protocol):
    """Figures with the card that says how they were obtained; a frozen dataclass.

    The fields of the dataclass are those of its file: a file is read as the kind whose fields it
    has most of.
    """

    finds: ClassVar[bool]  # whether a model that is judged so finds videos by words

    @property
    def what(self) -> str:
        """The kind of thing that is measured, for messages, such as "captions"."""
        ...

    @property
    def protocol(self) -> AnyCard:
        """How the figures were obtained."""
        ...

    @property
    def videos(self) -> int:
        """The number of videos (N) that were measured, from which a bootstrap draws."""
        ...

    def values(self) -> dict[str, float]:
        """All figures by name; validation chooses epochs by one of them."""
        ...

    def tells(self, figure: str) -> bool:
        """Whether a figure says anything of the model: one that any model would have does not."""
        ...

    def drawn(self, times: Int[np.ndarray, "R N"]) -> dict[str, Float[np.ndarray, " R"]]:
        """Figures of draws with replacement; `times` is how often each draw has each video."""
        ...

    def remarks(self) -> list[str]:
        """Sentences that must stand beside the figures, such as on ranks that rounding decides."""
        ...

    def markdown(self) -> list[str]:
        """Rows for a model card, and the interval of the figure that counts."""
        ...

    def table(self) -> Table:
        """The figures for a terminal."""
        ...

    def unlike(self, other: Any) -> dict[str, tuple[object, object]]:
        """The fields that forbid a comparison with a report of the same kind, with both values."""
        ...

    def against(self, other: Any, seed: int = 0) -> Comparison:
        """Differences of `other`, which is like this one, from this one; `compare` asks for it."""
        ...

    def also_without(self, left_out: BySplit) -> "AnyReport":
        """The report with a card that also says what the training splits of the model lacked."""
        ...

    def as_dict(self) -> dict[str, object]:
        """The report as plain data, from which `ReportKind.from_dict` makes it again."""
        ...

    def figures(self) -> dict[str, object]:
        """The report as plain data, without its entries for every query or clip, which would
        fill screens."""
        ...

    @classmethod
    def from_dict(cls, fields: object) -> "AnyReport":
        """The report that `as_dict` gave, also after JSON; DataError names the first bad field."""
        ...

    def write(self, path: Path) -> None:
        """JSON with one field a line."""
        ...


@runtime_checkable
class ReportKind(Protocol):
    """The class of reports of one kind, as those use it who have no report yet."""

    def from_dict(self, fields: object) -> AnyReport:
        """The report of such plain data.

        Errors: `DataError` for data of no such report.
        """
        ...
