"""Figures that are means over items, such as the accuracy of answers, with each item's own share.

Tasks whose figures are no more than that need no report of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from pydantic import ConfigDict

from reeltune.errors import DataError, counted
from reeltune.evaluation.bootstrap import bounds, resampled_means, sums_by_group
from reeltune.evaluation.comparison import Comparison, Difference, alone, between
from reeltune.evaluation.items import ItemsCard, ItemsReport, numbers_of


@dataclass(frozen=True, kw_only=True)
class MeansReport(ItemsReport):
    """Means over items; the first one is the headline. `shares`: what each item adds to a figure,
    which is their mean.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    means: dict[str, float]
    shares: dict[str, dict[str, float]]

    def __post_init__(self) -> None:
        odd = [name for name, each in self.shares.items() if each.keys() != self.items.keys()]
        if odd or self.means.keys() != self.shares.keys() or not self.items:
            raise DataError(
                f"the shares of {', '.join(odd) or 'the figures'} are not those of the "
                f"{counted(len(self.items), 'item')}; evaluate again"
            )

    def values(self) -> dict[str, float]:
        """All means."""
        return self.means

    def drawn(self, times: Int[np.ndarray, "R N"]) -> dict[str, Float[np.ndarray, " R"]]:
        """All means, of draws of whole videos."""
        sums, sizes = sums_by_group(_columns(self), numbers_of(self.items))
        found = times @ sums / (times @ sizes)[:, None]  # (R, M)
        return {name: found[:, i] for i, name in enumerate(self.means)}

    def against(self, other: "MeansReport", seed: int = 0) -> Comparison:
        """Differences of the means that both have."""
        shared = [name for name in self.means if name in other.means]
        mine, theirs = _columns(self, shared), _columns(other, shared)
        sums, sizes = sums_by_group(theirs - mine, numbers_of(self.items))
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


def means_report(
    shares: Mapping[str, Mapping[str, float]], items: Mapping[str, str], card: ItemsCard
) -> MeansReport:
    """Figures by name from what each item adds to them; `items` has the video of each."""
    kept = {name: dict(each) for name, each in shares.items()}
    means = {name: float(np.mean(list(each.values()))) for name, each in kept.items()}
    video = numbers_of(items)
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
