"""Reports on items that were answered one by one, such as questions, and their card.

A kind of report says by `values`, `drawn` and `against` what its figures are; how they are shown,
stored and told apart is here.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Int
from pydantic import ConfigDict
from rich.table import Table

from reeltune.errors import counted
from reeltune.evaluation.comparison import Comparison
from reeltune.evaluation.left_out import BySplit, is_incomplete
from reeltune.evaluation.protocols import (
    Named,
    also_without,
    card_markdown,
    split_hash,
    unlike,
)
from reeltune.evaluation.report_file import checked, write_fields
from reeltune.evaluation.tables import figures_markdown, figures_table, shown
from reeltune.types import LeftOut, Split


@dataclass(frozen=True, kw_only=True)
class ItemsCard:
    """How figures of items were obtained."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    task: str  # its name
    dataset: str
    split: str
    split_hash: str  # of `split_hash(pairs)`
    frames: str  # such as "uniform 12"
    rules: tuple[str, ...]  # what else must be equal, such as which answers count as right
    model: str
    fingerprint: str
    seed: int | None
    left_out: dict[str, tuple[LeftOut, ...]] = field(default_factory=dict)  # by split
    asked_hash: str = ""  # `split_hash` of all that was to be measured, before any was left out
    differs: tuple[str, ...] = ()  # what of the data is not as the benchmark has it

    @property
    def incomplete(self) -> bool:
        """Whether the split that was measured lacks something."""
        return is_incomplete(self.left_out, self.split)

    def markdown(self) -> str:
        """A table of two columns, for a model card."""
        return card_markdown(self)


@dataclass(frozen=True, kw_only=True)
class ItemsReport(ABC):
    """Figures of items with the protocol they were obtained under; the first is the headline.

    `intervals`: 95 %, by bootstrap over videos. `items`: the video of each item.
    """

    finds: ClassVar[bool] = False

    intervals: dict[str, tuple[float, float]]
    protocol: ItemsCard
    items: dict[str, str]

    @property
    def what(self) -> str:
        """The task, for messages."""
        return self.protocol.task

    @property
    def videos(self) -> int:
        """The number of videos (N) that have an item."""
        return len({*self.items.values()})

    @abstractmethod
    def values(self) -> dict[str, float]:
        """All figures."""

    @abstractmethod
    def drawn(self, times: Int[np.ndarray, "R N"]) -> dict[str, Float[np.ndarray, " R"]]:
        """All figures, of draws of whole videos."""

    @abstractmethod
    def against(self, other: Any, seed: int = 0) -> Comparison:
        """Differences of `other` from this one, on the same draws."""

    def tells(self, figure: str) -> bool:
        """Always: no figure of items is the same for every model."""
        return True

    def remarks(self) -> list[str]:
        """None: no figure hangs on rounding."""
        return []

    def markdown(self) -> list[str]:
        """All figures, and the interval of the first."""
        name, ends = next(iter(self.intervals.items()))
        low, high = (shown(name, end) for end in ends)
        said = f"95 % interval of {name}, over videos: {low} to {high}."
        return figures_markdown(self.values(), said)

    def table(self) -> Table:
        """One row a figure, with its 95 % interval."""
        card = self.protocol
        items, videos = counted(len(self.items), "item"), counted(self.videos, "video")
        title = f"{card.model} on {card.dataset} {card.split}: {items} of {videos}"
        return figures_table(title, self.values(), self.intervals)

    def unlike(self, other: "ItemsReport") -> dict[str, tuple[object, object]]:
        """Fields of the cards that differ; else the numbers of items, if these are others."""
        found = unlike(self.protocol, other.protocol)
        if not found and self.items != other.items:
            return {"items": (len(self.items), len(other.items))}
        return found

    def also_without(self, left_out: BySplit) -> "ItemsReport":
        """The report with a card that also says what the training splits of the model lacked."""
        return replace(self, protocol=also_without(self.protocol, left_out))

    def as_dict(self) -> dict[str, object]:
        """The report as plain data."""
        return asdict(self)

    def figures(self) -> dict[str, object]:
        """The report as plain data, without its entries for every item, which would fill
        screens."""
        items = ("items", "shares", "ratings")
        return {name: value for name, value in self.as_dict().items() if name not in items}

    @classmethod
    def from_dict(cls, fields: object) -> "ItemsReport":
        """The report that `as_dict` gave, also after JSON; DataError names the first bad field."""
        return checked(cls, fields, "report of single items")

    def write(self, path: Path) -> None:
        """JSON with one field a line."""
        write_fields(path, self.as_dict())


def items_card(
    task: str, model: Any, frames: str, split: Split, named: Named, rules: Sequence[str]
) -> ItemsCard:
    """The card of a model that was judged on a split, of which it read `frames`."""
    return ItemsCard(
        task=task,
        dataset=named.dataset,
        split=named.split,
        split_hash=split_hash(split.pairs),
        frames=frames,
        rules=tuple(rules),
        model=model.name,
        fingerprint=model.fingerprint,
        seed=named.seed,
        left_out={named.split: split.left_out} if split.left_out else {},
        asked_hash=named.asked_hash,
        differs=named.differs,
    )


def numbers_of(items: Mapping[str, str]) -> Int[np.ndarray, " I"]:
    """Number of the video of each item, as the items first name them."""
    numbers = {video: i for i, video in enumerate(dict.fromkeys(items.values()))}
    return np.array([numbers[video] for video in items.values()])
