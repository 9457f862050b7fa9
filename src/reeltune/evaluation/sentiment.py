"""Figures of sentiment as CMU-MOSI has them: accuracies and F1 of signs, errors, correlation.

Ratings are -3 to 3. Signs are told in both conventions of the field: `BA` and `F1` set negative
against non-negative over all items; `BA non-0` and `F1 non-0` leave items rated 0 out and set
negative against positive. F1 is that of both signs, weighted by how often each occurs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from pydantic import ConfigDict

from reeltune.errors import DataError, counted
from reeltune.evaluation.bootstrap import DRAWS, bounds, times_drawn
from reeltune.evaluation.comparison import Comparison, Difference, between
from reeltune.evaluation.items import ItemsCard, ItemsReport, numbers_of

TOP = 3.0  # the highest rating; the lowest is its negative
Rated = Float[np.ndarray, " I"]
Weights = Float[np.ndarray, "R I"]
Drawn = Float[np.ndarray, " R"]
Signs = Bool[np.ndarray, " I"]


@dataclass(frozen=True, kw_only=True)
class SentimentReport(ItemsReport):
    """Figures of ratings; `ratings` has the model's and the true one of each item."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    sentiment: dict[str, float]
    ratings: dict[str, tuple[float, float]]

    def __post_init__(self) -> None:
        if self.ratings.keys() != self.items.keys() or not self.items:
            raise DataError(
                f"the ratings, {len(self.ratings)}, are not those of the "
                f"{counted(len(self.items), 'item')}; evaluate again"
            )

    def values(self) -> dict[str, float]:
        """All figures."""
        return self.sentiment

    def drawn(self, times: Int[np.ndarray, "R N"]) -> dict[str, Drawn]:
        """All figures, of draws of whole videos."""
        given, true = np.array(list(self.ratings.values())).T
        return sentiment_figures(given, true, times[:, numbers_of(self.items)].astype(float))

    def against(self, other: "SentimentReport", seed: int = 0) -> Comparison:
        """Differences of all figures, on the same draws of videos."""
        times = _draws(self.videos, seed)
        mine, theirs = self.drawn(times), other.drawn(times)
        changed = {v for item, v in self.items.items() if self.ratings[item] != other.ratings[item]}
        differences = {}
        for name, value in self.sentiment.items():
            (low, high), *_ = bounds((theirs[name] - mine[name])[:, None])
            differences[name] = Difference(
                a=value, b=other.sentiment[name], low=low, high=high, changed=len(changed)
            )
        return between(self.protocol, other.protocol, differences, alone={"a": (), "b": ()})


def sentiment_report(
    ratings: Mapping[str, tuple[float, float]], items: Mapping[str, str], card: ItemsCard
) -> SentimentReport:
    """Figures from the model's and the true rating of each item; `items` has the video of each."""
    given, true = np.array(list(ratings.values())).T
    once = sentiment_figures(given, true, np.ones((1, len(true))))
    report = SentimentReport(
        sentiment={name: float(value[0]) for name, value in once.items()},
        intervals={},
        protocol=card,
        items=dict(items),
        ratings={item: (float(a), float(b)) for item, (a, b) in ratings.items()},
    )
    drawn = report.drawn(_draws(report.videos, 0))
    report.intervals.update({name: bounds(each[:, None])[0] for name, each in drawn.items()})
    return report


def _draws(videos: int, seed: int) -> Int[np.ndarray, "R N"]:
    """How often each video is in each of the usual number of draws."""
    return times_drawn(DRAWS, videos, np.random.default_rng(seed)).astype(int)


def sentiment_figures(given: Rated, true: Rated, weights: Weights) -> dict[str, Drawn]:
    """Figures of items with weights, one value a row of weights.

    Accuracies and F1 in percent, MAE in units of the rating, Corr is Pearson's. A figure whose
    items are all left out, or whose ratings are all equal, is 0.
    """
    signs = np.where(true != 0, 1.0, 0.0) * weights
    clipped = (np.rint(np.clip(rated, -TOP, TOP)) for rated in (given, true))
    same = np.equal(*clipped)
    return {
        "BA": _accuracy(given >= 0, true >= 0, weights),
        "F1": _weighted_f1(given >= 0, true >= 0, weights),
        "BA non-0": _accuracy(given > 0, true > 0, signs),
        "F1 non-0": _weighted_f1(given > 0, true > 0, signs),
        "Acc-7": 100.0 * _ratio(weights @ same, weights.sum(axis=1)),
        "MAE": _ratio(weights @ np.abs(given - true), weights.sum(axis=1)),
        "Corr": _correlation(given, true, weights),
    }


def _ratio(part: Drawn, whole: Drawn) -> Drawn:
    return np.divide(part, whole, out=np.zeros_like(part, dtype=float), where=whole > 0)


def _accuracy(given: Signs, true: Signs, weights: Weights) -> Drawn:
    return 100.0 * _ratio(weights @ (given == true), weights.sum(axis=1))


def _weighted_f1(given: Signs, true: Signs, weights: Weights) -> Drawn:
    """F1 of both signs, each weighted by the share of items that have it."""
    found = np.zeros(len(weights))
    for sign in (False, True):
        right = weights @ ((given == sign) & (true == sign))
        both = weights @ (given == sign) + weights @ (true == sign)
        found += _ratio(2 * right, both) * _ratio(weights @ (true == sign), weights.sum(axis=1))
    return 100.0 * found


def _correlation(given: Rated, true: Rated, weights: Weights) -> Drawn:
    share = weights / weights.sum(axis=1, keepdims=True)
    from_mean = [values - (share @ values)[:, None] for values in (given, true)]  # (R, I) each
    together = (share * from_mean[0] * from_mean[1]).sum(axis=1)
    spreads = [(share * one**2).sum(axis=1) for one in from_mean]
    return _ratio(together, np.sqrt(spreads[0] * spreads[1]))
