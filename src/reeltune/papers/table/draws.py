"""Figures of several seeds, with intervals by bootstrap over videos and seeds together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from reeltune.evaluation.bootstrap import sums_by_group
from reeltune.evaluation.report import AnyReport
from reeltune.evaluation.retrieval import Report

DRAWS = 2000
Draws = dict[str, Float[np.ndarray, " R"]]
Bounds = tuple[float, float]


class Difference(NamedTuple):
    """A mean less another, with the middle 95 % of its draws."""

    mean: float
    bounds: Bounds


@dataclass(frozen=True)
class Sample:
    """Figures of each seed, and of each draw of videos and seeds for those that can be drawn."""

    each: list[dict[str, float]]
    draws: Draws

    @cached_property
    def means(self) -> dict[str, float]:
        """The mean of each figure over seeds."""
        return {name: float(np.mean(self.seeds(name))) for name in self.each[0]}

    @cached_property
    def intervals(self) -> dict[str, Bounds]:
        """Intervals of 95 % for the figures that can be drawn again."""
        return {name: bounds(values) for name, values in self.draws.items()}

    def seeds(self, name: str) -> list[float]:
        """The value of a figure for each seed."""
        return [one[name] for one in self.each]

    def less(self, other: "Sample", name: str) -> Difference:
        """A figure less that of another sample, on the same draws of videos."""
        mean = self.means[name] - other.means[name]
        return Difference(mean, bounds(self.draws[name] - other.draws[name]))


def sample_of(reports: Sequence[AnyReport]) -> Sample:
    """All figures of reports on the same split; those on it get the same videos in each draw."""
    return Sample(
        [report.values() for report in reports],
        drawn(reports[0].videos, [report.drawn for report in reports]),
    )


def subset_of(reports: Sequence[Report], tag: str) -> Sample:
    """ "t2v R@1" of the queries that carry a tag."""
    name = "t2v R@1"
    rows = np.array(reports[0].ranks.tagged[tag])
    hits = [100.0 * (np.array(report.ranks.t2v)[rows] <= 1) for report in reports]
    video = np.array(reports[0].ranks.video)[rows]
    sums = [sums_by_group(one[:, None], video) for one in hits]
    ways = [lambda times, s=s, n=n: {name: times @ s[:, 0] / (times @ n)} for s, n in sums]
    return Sample(
        [{name: report.subsets[tag]["R@1"]} for report in reports],
        drawn(len(np.unique(video)), ways),
    )


def drawn(videos: int, figures: Sequence[Callable[[Int[np.ndarray, "R N"]], Draws]]) -> Draws:
    """Figures in each draw of videos, and of as many seeds as there are in `figures`.

    Each of these gives the figures of a seed, from how often each draw has each video. A draw's
    figure is the mean over the seeds that are drawn.
    """
    some, seeds = chosen(videos, len(figures))
    times = np.stack([np.bincount(one, minlength=videos) for one in some])  # (R, N)
    each = [figures_of(times) for figures_of in figures]
    return {
        name: np.take_along_axis(np.stack([one[name] for one in each], 1), seeds, 1).mean(1)
        for name in each[0]
    }


def chosen(videos: int, seeds: int) -> tuple[Int[np.ndarray, "R N"], Int[np.ndarray, "R S"]]:
    """Videos and seeds of each draw, with replacement; the same at every call."""
    some = np.random.default_rng(0).integers(0, videos, (DRAWS, videos))
    return some, np.random.default_rng([1, seeds]).integers(0, seeds, (DRAWS, seeds))


def bounds(draws: Float[np.ndarray, " R"]) -> Bounds:
    """The middle 95 %."""
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)
