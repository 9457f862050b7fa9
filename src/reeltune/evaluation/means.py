"""Figures that are means over items, such as the accuracy of answers, with each item's own share.

Tasks whose figures are no more than that need no report of their own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Int
from pydantic import ConfigDict
from rich.table import Table

from reeltune.errors import DataError
from reeltune.evaluation.bootstrap import bounds, resampled_means, sums_by_group
from reeltune.evaluation.comparison import Comparison, Difference, alone, between
from reeltune.evaluation.left_out import BySplit, is_incomplete
from reeltune.evaluation.protocols import (
    Named,
    also_without,
    card_markdown,
    split_hash,
    unlike,
)
from reeltune.evaluation.report_file import checked, write_fields
from reeltune.evaluation.tables import figures_markdown, figures_table
from reeltune.types import LeftOut, Split


@dataclass(frozen=True, kw_only=True)
class MeansCard:
    """How means over items were obtained."""

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
class MeansReport:
    """Means over items with the protocol they were obtained under; the first one is the headline.

    `intervals`: 95 %, by bootstrap over videos. `items`: the video of each item; `shares`: what
    each item adds to a figure, which is their mean.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")
    finds: ClassVar[bool] = False

    means: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    protocol: MeansCard
    items: dict[str, str]
    shares: dict[str, dict[str, float]]

    def __post_init__(self) -> None:
        odd = [name for name, each in self.shares.items() if each.keys() != self.items.keys()]
        if odd or self.means.keys() != self.shares.keys() or not self.items:
            raise DataError(
                f"the shares of {', '.join(odd) or 'the figures'} are not those of the "
                f"{len(self.items)} items; evaluate again"
            )

    @property
    def what(self) -> str:
        """The task, for messages."""
        return self.protocol.task

    @property
    def videos(self) -> int:
        """The number of videos (N) that have an item."""
        return len({*self.items.values()})

    def values(self) -> dict[str, float]:
        """All means."""
        return self.means

    def tells(self, figure: str) -> bool:
        """Always: no mean is the same for every model."""
        return True

    def drawn(self, times: Int[np.ndarray, "R N"]) -> dict[str, Float[np.ndarray, " R"]]:
        """All means, of draws of whole videos."""
        sums, sizes = sums_by_group(_columns(self), _numbers(self.items))
        found = times @ sums / (times @ sizes)[:, None]  # (R, M)
        return {name: found[:, i] for i, name in enumerate(self.means)}

    def markdown(self) -> list[str]:
        """All means, and the interval of the first."""
        name, (low, high) = next(iter(self.intervals.items()))
        said = f"95 % interval of {name}, over videos: {low:.1f} to {high:.1f}."
        return figures_markdown(self.means, said)

    def table(self) -> Table:
        """One row a figure, with its 95 % interval."""
        card = self.protocol
        title = f"{card.model} on {card.dataset} {card.split}: {len(self.items)} items"
        return figures_table(f"{title} of {self.videos} videos", self.means, self.intervals)

    def unlike(self, other: "MeansReport") -> dict[str, tuple[object, object]]:
        """Fields of the cards that differ; else the numbers of items, if these are others."""
        found = unlike(self.protocol, other.protocol)
        if not found and self.items != other.items:
            return {"items": (len(self.items), len(other.items))}
        return found

    def against(self, other: "MeansReport", seed: int = 0) -> Comparison:
        """Differences of the means that both have."""
        shared = [name for name in self.means if name in other.means]
        mine, theirs = _columns(self, shared), _columns(other, shared)
        sums, sizes = sums_by_group(theirs - mine, _numbers(self.items))
        found = bounds(resampled_means(sums, sizes, np.random.default_rng(seed)))
        differences = {
            name: Difference(
                a=self.means[name],
                b=other.means[name],
                low=found[i][0],
                high=found[i][1],
                changed=int(np.count_nonzero(sums[:, i])),
            )
            for i, name in enumerate(shared)
        }
        names = alone(self.means, other.means)
        return between(self.protocol, other.protocol, differences, alone=names)

    def also_without(self, left_out: BySplit) -> "MeansReport":
        """The report with a card that also says what the training splits of the model lacked."""
        return replace(self, protocol=also_without(self.protocol, left_out))

    def as_dict(self) -> dict[str, object]:
        return asdict(self)

    def figures(self) -> dict[str, object]:
        """The report as plain data, without its entries for every item, which would fill
        screens."""
        whole = ("means", "intervals", "protocol")
        return {name: value for name, value in self.as_dict().items() if name in whole}

    @classmethod
    def from_dict(cls, fields: object) -> "MeansReport":
        """The report that `as_dict` gave, also after JSON; DataError names the first bad field."""
        return checked(cls, fields, "report of means")

    def write(self, path: Path) -> None:
        """JSON with one field a line."""
        write_fields(path, self.as_dict())


def means_card(
    task: str, model: Any, frames: str, split: Split, named: Named, rules: Sequence[str]
) -> MeansCard:
    """The card of a model that was judged on a split, of which it read `frames`."""
    return MeansCard(
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


def means_report(
    shares: Mapping[str, Mapping[str, float]], items: Mapping[str, str], card: MeansCard
) -> MeansReport:
    """Figures by name from what each item adds to them; `items` has the video of each."""
    kept = {name: dict(each) for name, each in shares.items()}
    means = {name: float(np.mean(list(each.values()))) for name, each in kept.items()}
    video = _numbers(items)
    columns = np.array([[each[item] for item in items] for each in kept.values()]).T  # (I, M)
    drawn = resampled_means(*sums_by_group(columns, video), np.random.default_rng(0))
    return MeansReport(
        means=means,
        intervals=dict(zip(means, bounds(drawn), strict=True)),
        protocol=card,
        items=dict(items),
        shares=kept,
    )


def _columns(report: MeansReport, names: list[str] | None = None) -> Float[np.ndarray, "I M"]:
    """Shares of all items, in their order, of the figures named, or of all."""
    chosen = list(report.means) if names is None else names
    return np.array([[report.shares[n][item] for item in report.items] for n in chosen]).T


def _numbers(items: Mapping[str, str]) -> Int[np.ndarray, " I"]:
    """Number of the video of each item, as the items first name them."""
    numbers = {video: i for i, video in enumerate(dict.fromkeys(items.values()))}
    return np.array([numbers[video] for video in items.values()])
