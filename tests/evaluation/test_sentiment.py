"""Figures of sentiment against a slow version that goes through the items one by one."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from reeltune.errors import DataError
from reeltune.evaluation.compare import compare
from reeltune.evaluation.items import ItemsCard
from reeltune.evaluation.sentiment import SentimentReport, sentiment_figures, sentiment_report

CARD = ItemsCard(
    task="sentiment",
    dataset="noise",
    split="test",
    split_hash="x",
    frames="uniform 2",
    rules=(),
    model="m",
    fingerprint="f",
    seed=None,
)


def slow(given: list[float], true: list[float]) -> dict[str, float]:
    """Every figure by its definition, item by item."""

    def signs(sign: Callable[[float], bool], kept: Callable[[float], bool]) -> tuple[float, float]:
        rows = [(sign(g), sign(t)) for g, t in zip(given, true, strict=True) if kept(t)]
        right = sum(g == t for g, t in rows) / len(rows)
        f1 = 0.0
        for one in (False, True):
            hits = sum(g == t == one for g, t in rows)
            said, there = sum(g == one for g, _ in rows), sum(t == one for _, t in rows)
            precision, recall = hits / said if said else 0.0, hits / there if there else 0.0
            both = precision + recall
            f1 += (2 * precision * recall / both if both else 0.0) * there / len(rows)
        return 100 * right, 100 * f1

    count = len(true)
    a, f = signs(lambda r: r >= 0, lambda r: True)
    b, h = signs(lambda r: r > 0, lambda r: r != 0)
    clip = lambda r: round(max(-3.0, min(3.0, r)))  # noqa: E731
    mean_g, mean_t = sum(given) / count, sum(true) / count
    top = sum((g - mean_g) * (t - mean_t) for g, t in zip(given, true, strict=True))
    below = math.sqrt(sum((g - mean_g) ** 2 for g in given) * sum((t - mean_t) ** 2 for t in true))
    return {
        "BA": a,
        "F1": f,
        "BA non-0": b,
        "F1 non-0": h,
        "Acc-7": 100 * sum(clip(g) == clip(t) for g, t in zip(given, true, strict=True)) / count,
        "MAE": sum(abs(g - t) for g, t in zip(given, true, strict=True)) / count,
        "Corr": top / below if below else 0.0,
    }


def ratings(seed: int, count: int = 40) -> tuple[list[float], list[float]]:
    source = np.random.default_rng(seed)
    true = np.round(source.uniform(-3, 3, count), 1)
    true[:4] = 0.0
    return (true + source.standard_normal(count)).tolist(), true.tolist()


@pytest.mark.parametrize("seed", range(5))
def test_figures_are_those_of_the_slow_version(seed: int) -> None:
    given, true = ratings(seed)
    found = sentiment_figures(np.array(given), np.array(true), np.ones((1, len(true))))
    assert {name: value[0] for name, value in found.items()} == pytest.approx(slow(given, true))


def test_weights_count_items_as_often_as_they_say() -> None:
    given, true = ratings(7, 12)
    times = np.random.default_rng(1).integers(0, 4, (3, 12))
    found = sentiment_figures(np.array(given), np.array(true), times.astype(float))
    for row, counts in enumerate(times):
        often = [i for i, count in enumerate(counts) for _ in range(count)]
        wanted = slow([given[i] for i in often], [true[i] for i in often])
        assert {name: value[row] for name, value in found.items()} == pytest.approx(wanted)


def report(given: list[float], true: list[float]) -> SentimentReport:
    items = {f"q{i}": f"v{i % 8}" for i in range(len(true))}
    return sentiment_report(
        dict(zip(items, zip(given, true, strict=True), strict=True)), items, CARD
    )


def test_a_model_without_any_sense_is_told_from_one_with_some() -> None:
    given, true = ratings(3, 80)
    good, bad = report(given, true), report([-rating for rating in given], true)
    found = compare(bad, good).differences
    assert not found["Corr"].inside_noise
    assert found["Corr"].low > 0
    assert found["MAE"].high < 0
    same = compare(good, good).differences
    assert all(one.low == one.high == 0 for one in same.values())


def test_errors_and_correlations_are_shown_with_three_decimals() -> None:
    found = report(*ratings(3))
    assert f"{found.sentiment['MAE']:.3f}" in found.markdown()[2]
    assert f"{found.sentiment['Corr']:.3f}" in found.markdown()[2]


def test_equal_ratings_have_no_correlation_and_ratings_of_other_items_are_refused() -> None:
    assert report([1.0] * 8, ratings(0, 8)[1]).sentiment["Corr"] == 0
    with pytest.raises(DataError, match="the ratings, 8, are not those of the 1 item;"):
        SentimentReport(
            sentiment={},
            intervals={},
            protocol=CARD,
            items={"q0": "v0"},
            ratings={f"q{i}": (0.0, 0.0) for i in range(8)},
        )


def test_reports_whose_figures_are_not_those_of_their_kind_are_not_compared() -> None:
    whole = report(*ratings(3))
    odd = replace(whole, sentiment={"a": 3.0})
    with pytest.raises(DataError, match=r"entries of these reports do not fit their figures .*'a'"):
        compare(odd, whole)
