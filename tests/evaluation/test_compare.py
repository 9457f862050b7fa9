"""Unlike protocols are refused; the paired interval is the one that a loop of draws gives."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from oracles.slow_retrieval import card_for, pairs_of
from reeltune.errors import ConfigError, DataError
from reeltune.evaluation.compare import compare
from reeltune.evaluation.comparison import Difference
from reeltune.evaluation.retrieval import Report, retrieval_report
from reeltune.tasks.finding.reports import compare_files

NAMES = [f"v{i}" for i in range(60)]
PAIRS = pairs_of([name for name in NAMES for _ in range(3)], [("temporal",)] * 30 + [()] * 150)


def report_of(noise: float, number: int, /, **changed: object) -> Report:
    rng = np.random.default_rng(number)
    own = np.repeat(np.eye(60), 3, axis=0)
    scores = own + noise * rng.standard_normal(own.shape)
    return retrieval_report(scores, PAIRS, NAMES, card_for(PAIRS, NAMES, **changed))


def test_a_report_does_not_differ_from_itself() -> None:
    report = report_of(0.5, 0)
    found = compare(report, report).differences
    assert set(found) == {
        f"{way} {name}"
        for way in ("t2v", "v2t", "t2v temporal")
        for name in ("R@1", "R@5", "R@10", "SumR")
    }
    assert all((one.low, one.high, one.changed) == (0, 0, 0) for one in found.values())
    assert all(one.inside_noise for one in found.values())


def test_a_great_difference_is_outside_noise_and_a_small_one_inside() -> None:
    weak, strong, again = report_of(1.0, 0), report_of(0.3, 1), report_of(0.3, 2)
    great = compare(weak, strong).differences["t2v R@1"]
    assert not great.inside_noise
    assert 0 < great.low < great.b - great.a < great.high
    assert compare(strong, again).differences["t2v R@1"].inside_noise
    back = compare(strong, weak).differences["t2v R@1"]
    assert (back.low, back.high) == pytest.approx((-great.high, -great.low))


def test_the_interval_is_that_of_a_loop_which_draws_the_same_videos_for_both() -> None:
    a, b = report_of(0.8, 0), report_of(0.6, 1)
    rng, slow = np.random.default_rng(7), []
    for _ in range(2000):
        change = []
        for video in rng.integers(0, 60, 60):
            for i in range(3 * video, 3 * video + 3):
                change.append((b.ranks.t2v[i] <= 5) - (a.ranks.t2v[i] <= 5))
        slow.append(100 * sum(change) / len(change))
    got = compare(a, b, seed=7).differences["t2v R@5"]
    assert [got.low, got.high] == pytest.approx(np.quantile(slow, [0.025, 0.975]).tolist())
    assert (got.a, got.b) == pytest.approx((a.t2v["R@5"], b.t2v["R@5"]))


def test_pairing_makes_the_interval_narrower_than_the_two_reports_apart() -> None:
    a = report_of(0.8, 0)
    better = [1 if i % 9 == 0 else rank for i, rank in enumerate(a.ranks.t2v)]
    b = replace(a, ranks=replace(a.ranks, t2v=better))
    got = compare(a, b).differences["t2v R@1"]
    low, high = a.intervals["t2v R@1"]
    assert got.high - got.low < high - low


def test_a_handful_of_changed_videos_proves_nothing() -> None:
    five = Difference(a=0.0, b=100.0, low=100.0, high=100.0, changed=5)
    assert five.inside_noise
    assert not replace(five, changed=6).inside_noise


def test_an_interval_that_touches_zero_is_inside_noise() -> None:
    above = Difference(a=50.0, b=53.0, low=0.1, high=6.0, changed=20)
    assert not above.inside_noise
    assert replace(above, low=0.0).inside_noise
    assert replace(above, low=-6.0, high=0.0).inside_noise


def test_a_subset_is_compared_by_itself() -> None:
    a = report_of(1.0, 0)
    tagged = set(a.ranks.tagged["temporal"])
    better = [1 if i in tagged else rank for i, rank in enumerate(a.ranks.t2v)]
    found = compare(a, replace(a, ranks=replace(a.ranks, t2v=better))).differences
    assert found["t2v temporal R@1"].b == 100
    assert not found["t2v temporal R@1"].inside_noise
    assert found["v2t R@1"].changed == 0


def test_every_unlike_field_is_named_with_both_values() -> None:
    a, b = report_of(0.5, 0), report_of(0.5, 0, frames="uniform 8", v2t="any", model="full", seed=2)
    with pytest.raises(ConfigError, match="unlike protocols and cannot be compared") as caught:
        compare(a, b)
    message = str(caught.value)
    assert "frames: 'uniform 12' against 'uniform 8'; v2t: 'grouped' against 'any'" in message
    assert "model:" not in message
    assert "seed:" not in message
    untagged = replace(a, ranks=replace(a.ranks, tagged={}))
    with pytest.raises(ConfigError, match=r"tags: \{'temporal': 30\} against \{\}"):
        compare(a, untagged)


def test_files_and_folders_are_compared(tmp_path: Path) -> None:
    a, b = report_of(1.0, 0), report_of(0.3, 1, model="full", seed=None)
    a.write(tmp_path / "metrics.json")
    b.write(tmp_path / "other.json")
    found = compare_files(tmp_path, tmp_path / "other.json")
    assert found == compare(a, b)
    assert (found.a, found.b) == ("vop (seed 1)", "full")
    with pytest.raises(DataError, match=r"absent cannot be read \(No such file"):
        compare_files(tmp_path, tmp_path / "absent")


def test_verdicts_in_words_and_as_fields() -> None:
    found = compare(report_of(1.0, 0), report_of(0.3, 1))
    first = found.sentences()[0]
    one = found.differences["t2v R@1"]
    assert first.startswith(f"t2v R@1: {one.a:.1f} to {one.b:.1f}, +")
    assert first.endswith("], outside noise")
    fields = found.as_dict()["differences"]
    assert isinstance(fields, dict)
    assert fields["t2v R@1"]["inside_noise"] is False
