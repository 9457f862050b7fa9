"""Reports against counting by definition: planted ties, several captions a video, subsets."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oracles.slow_retrieval import (
    card_for,
    pairs_of,
    slow_t2v,
    slow_v2t_any,
    slow_v2t_grouped,
    videos_in_order,
)
from reeltune.errors import DataError
from reeltune.evaluation import metrics
from reeltune.evaluation.metrics import average_precision, ranks
from reeltune.evaluation.remarks import remarks_of
from reeltune.evaluation.retrieval import Report, retrieval_report

# Captions of a video stand apart, one video has one caption, and "e" has none.
VIDEOS = ["b", "a", "b", "c", "d", "a", "b"]
GALLERY = ["a", "b", "c", "d", "e"]
TAGS = [("temporal",), (), ("temporal", "long"), (), ("temporal",), (), ()]
PAIRS = pairs_of(VIDEOS, TAGS)
# Small integers make ties common.
SCORES = arrays(np.float64, (7, 5), elements=st.integers(-2, 2).map(float))


def report_of(scores: np.ndarray, gallery: list[str] | None = None, v2t: str = "grouped") -> Report:
    gallery = gallery or GALLERY
    return retrieval_report(scores, PAIRS, gallery, card_for(PAIRS, gallery, v2t=v2t))


@settings(max_examples=50)
@given(SCORES)
def test_ranks_of_both_directions_equal_counting(scores: np.ndarray) -> None:
    report = report_of(scores)
    assert report.ranks.t2v == slow_t2v(scores, PAIRS, GALLERY)
    assert report.ranks.v2t == slow_v2t_grouped(scores, PAIRS, GALLERY)
    reciprocal = [1 / rank for rank in report.ranks.t2v]
    assert report.t2v["mAP"] == pytest.approx(100 * np.mean(reciprocal))


@settings(max_examples=50)
@given(SCORES)
def test_the_best_caption_among_all_equals_counting(scores: np.ndarray) -> None:
    report = report_of(scores, v2t="any")
    found, precisions = slow_v2t_any(scores, PAIRS, GALLERY)
    assert report.ranks.v2t == found
    assert report.v2t["mAP"] == pytest.approx(100 * np.mean(precisions))


@settings(max_examples=50)
@given(SCORES, st.permutations(range(5)), st.sampled_from(["grouped", "any"]))
def test_the_order_of_the_gallery_changes_nothing(
    scores: np.ndarray, order: list[int], v2t: str
) -> None:
    moved = report_of(scores[:, order], [GALLERY[j] for j in order], v2t)
    assert moved == report_of(scores, v2t=v2t)


@settings(max_examples=50)
@given(SCORES, st.sampled_from(["grouped", "any"]))
def test_a_growing_function_of_the_scores_changes_the_margin_alone(
    scores: np.ndarray, v2t: str
) -> None:
    grown, plain = report_of(np.exp(scores), v2t=v2t), report_of(scores, v2t=v2t)
    assert replace(grown, margin=plain.margin) == plain


@settings(max_examples=50)
@given(SCORES, st.permutations(range(7)))
def test_the_order_of_the_pairs_only_permutes_the_ranks(
    scores: np.ndarray, order: list[int]
) -> None:
    pairs = [PAIRS[i] for i in order]
    moved = retrieval_report(scores[order], pairs, GALLERY, card_for(pairs, GALLERY))
    report = report_of(scores)
    assert moved.ranks.t2v == [report.ranks.t2v[i] for i in order]
    known = dict(zip(videos_in_order(PAIRS), report.ranks.v2t, strict=True))
    assert moved.ranks.v2t == [known[video] for video in videos_in_order(pairs)]


@settings(max_examples=50)
@given(arrays(np.float64, (5, 5), elements=st.integers(-2, 2).map(float)))
def test_with_one_caption_a_video_both_rules_are_the_plain_rank(scores: np.ndarray) -> None:
    pairs = pairs_of(GALLERY)
    for v2t in ("grouped", "any"):
        card = card_for(pairs, GALLERY, v2t=v2t)
        report = retrieval_report(scores, pairs, GALLERY, card)
        plain = ranks(scores.T, np.arange(5))
        assert report.ranks.v2t == plain.tolist()
        assert report.v2t["mAP"] == pytest.approx(100 * np.mean(1 / plain))


def test_all_ties_are_the_worst_rank_everywhere() -> None:
    report = report_of(np.zeros((7, 5)))
    assert report.ranks.t2v == [5] * 7
    assert report.ranks.v2t == [4] * 4
    assert report_of(np.zeros((7, 5)), v2t="any").ranks.v2t == [5, 6, 7, 7]  # 1 + wrong captions


def test_near_ties_are_told_and_ranked_as_they_are() -> None:
    scores = np.zeros((7, 5), np.float32)
    scores[np.arange(7), [GALLERY.index(pair.video) for pair in PAIRS]] = 0.5
    assert not report_of(scores).near_ties
    own = GALLERY.index(PAIRS[0].video)
    scores[0, own - 1] = 0.5 - 1e-7
    scores[1, GALLERY.index(PAIRS[1].video) - 1] = 0.5  # a tie
    report = report_of(scores)
    assert report.ranks.t2v == [1, 2, 1, 1, 1, 1, 1]
    assert report.near_ties == pytest.approx({"queries": 100 / 7, "t2v R@1": 500 / 7})
    assert report.remarks() == [
        "rounding decides the rank of 14.3 % of captions: if nearly equal scores were ties, "
        "t2v R@1 would be 71.4, not 85.7"
    ]
    assert remarks_of([report]).said[-1:] == report.remarks()


def test_equal_captions_bound_what_the_best_model_can_reach() -> None:
    """Nine of 1,000 captions in groups of 3, 2, 2 and 2 equal ones, as in MSR-VTT 1kA."""
    text = [*(0, 0, 0), *(1, 1), *(2, 2), *(3, 3), *range(4, 995)]  # whose caption says what
    names = [f"v{i}" for i in range(1000)]
    scores = np.equal.outer(text, text) - np.arange(1000) / 1e4  # of twins, the first is found
    pairs = pairs_of(names)
    report = retrieval_report(scores, pairs, names, card_for(pairs, names))
    assert report.t2v["R@1"] == pytest.approx(99.5)
    assert report.v2t["R@1"] == pytest.approx(99.1)
    assert report.t2v["R@5"] == report.v2t["R@5"] == 100


def test_a_subset_is_ranked_in_the_whole_gallery() -> None:
    scores = np.random.default_rng(0).integers(-2, 3, (7, 5)).astype(float)
    report = report_of(scores)
    rows = [0, 2, 4]
    found = np.array(slow_t2v(scores, PAIRS, GALLERY))[rows]
    assert report.ranks.tagged == {"long": [2], "temporal": rows}
    subset = report.subsets["temporal"]
    assert subset["queries"] == 3
    assert subset["R@1"] == pytest.approx(100 * np.mean(found == 1))
    assert subset["MdR"] == np.median(found)
    assert subset["MnR"] == pytest.approx(np.mean(found))
    assert subset["mAP"] == pytest.approx(100 * np.mean(1 / found))
    assert subset["R@1 low"] <= subset["R@1"] <= subset["R@1 high"]


@given(arrays(np.float64, (4, 6), elements=st.integers(-2, 2).map(float)), arrays(np.bool_, (4, 6)))
def test_average_precision_of_one_right_answer_is_one_over_its_rank(
    scores: np.ndarray, right: np.ndarray
) -> None:
    right[:] = False
    right[np.arange(4), [0, 3, 3, 5]] = True
    expected = 1 / ranks(scores, np.array([0, 3, 3, 5]))
    np.testing.assert_allclose(average_precision(scores, right), expected)


def test_average_precision_of_a_textbook_ranking() -> None:
    right = np.array([[True, False, True, False, False, True]])
    scores = np.array([[6.0, 5.0, 4.0, 3.0, 2.0, 1.0]])
    np.testing.assert_allclose(average_precision(scores, right), (1 / 1 + 2 / 3 + 3 / 6) / 3)


@pytest.mark.parametrize("chunk", [1, 12, 40])
def test_small_chunks_give_the_same_report(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = np.random.default_rng(1).integers(-2, 3, (7, 5)).astype(np.float32)
    for v2t in ("grouped", "any"):
        whole = report_of(scores, v2t=v2t)
        with monkeypatch.context() as patch:
            patch.setattr(metrics, "CHUNK", chunk)
            assert report_of(scores, v2t=v2t) == whole


def test_intervals_are_those_of_a_binomial_over_videos() -> None:
    """Captions of a video agree, so 500 videos carry the information, not 2,500 captions."""
    rng = np.random.default_rng(0)
    names = [f"v{i}" for i in range(500)]
    pairs = pairs_of([name for name in names for _ in range(5)], [("all",)] * 2500)
    own, right = np.repeat(np.arange(500), 5), np.repeat(rng.random(500) < 0.3, 5)
    scores = np.zeros((2500, 500))
    scores[np.arange(2500), own] = np.where(right, 1, -1)
    report = retrieval_report(scores, pairs, names, card_for(pairs, names))
    share = right.mean()
    low, high = report.intervals["t2v R@1"]
    width = 2 * 1.96 * 100 * np.sqrt(share * (1 - share) / 500)
    assert report.t2v["R@1"] == pytest.approx(100 * share)
    assert (low + high) / 2 == pytest.approx(100 * share, abs=0.5)
    np.testing.assert_allclose(high - low, width, rtol=0.1)
    assert (report.subsets["all"]["R@1 low"], report.subsets["all"]["R@1 high"]) == (low, high)
    low, high = report.intervals["v2t R@1"]
    np.testing.assert_allclose(high - low, width, rtol=0.1)
    # R@1, R@5 and R@10 agree here, so their sum is three times as wide.
    low, high = report.intervals["t2v SumR"]
    np.testing.assert_allclose(high - low, 3 * width, rtol=0.1)


def test_a_report_survives_json(tmp_path: Path) -> None:
    report = report_of(np.random.default_rng(2).integers(-2, 3, (7, 5)).astype(float))
    report.write(tmp_path / "metrics.json")
    assert Report.read(tmp_path / "metrics.json") == report
    assert Report.from_dict(report.as_dict()) == report


def test_files_that_are_no_reports_are_named(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    with pytest.raises(DataError, match=r"metrics\.json cannot be read \(No such file.*evaluate"):
        Report.read(path)
    path.write_text("{")
    with pytest.raises(DataError, match=r"metrics\.json is not JSON \(.*make a report with"):
        Report.read(path)
    path.write_text('{"t2v": {}}')
    with pytest.raises(DataError, match=r"metrics\.json: not a retrieval report: v2t: Field req"):
        Report.read(path)
    report = report_of(np.zeros((7, 5)))
    report.write(path)
    path.write_text(path.read_text().replace("against the model", "halved"))
    with pytest.raises(DataError, match=r"metrics\.json: protocol.ties is 'halved'; the only"):
        Report.read(path)
    report.write(path)
    path.write_text(path.read_text().replace('"v2t": [4, ', '"v2t": ['))
    with pytest.raises(DataError, match=r"metrics\.json: ranks of 7 queries and 3 videos do not"):
        Report.read(path)


@pytest.mark.usefixtures("unchecked")
def test_scores_that_are_no_floats_are_refused() -> None:
    with pytest.raises(DataError, match=r"scores are int64; give floats, as by scores\.astype"):
        retrieval_report(np.zeros((7, 5), np.int64), PAIRS, GALLERY, card_for(PAIRS, GALLERY))


def test_data_that_do_not_belong_together_are_refused() -> None:
    scores, card = np.zeros((7, 5)), card_for(PAIRS, GALLERY)
    with pytest.raises(DataError, match=r"shape \(7, 4\), but there are 7 pairs and 5 gallery"):
        retrieval_report(scores[:, :4], PAIRS, GALLERY, card)
    with pytest.raises(DataError, match=r"float16, whose rounding makes ties; compute .* float32"):
        retrieval_report(scores.astype(np.float16), PAIRS, GALLERY, card)
    broken = scores.copy()
    broken[3, 3] = np.nan
    with pytest.raises(DataError, match=r"1 of 35 scores are not finite"):
        retrieval_report(broken, PAIRS, GALLERY, card)
    with pytest.raises(DataError, match=r"'a' is in the gallery twice; give each video once"):
        retrieval_report(scores, PAIRS, ["a", "b", "c", "d", "a"], card)
    with pytest.raises(
        DataError, match=r"the gallery lacks 2 videos of the split, the first is 'c'"
    ):
        retrieval_report(scores[:, :2], PAIRS, GALLERY[:2], card)
    with pytest.raises(DataError, match=r"the split has no pairs; .* at least one caption"):
        retrieval_report(scores[:0], [], GALLERY, card)


def test_a_card_of_other_data_is_refused() -> None:
    scores = np.zeros((7, 5))
    with pytest.raises(DataError, match=r"queries is 8, but the data evaluated have 7; make the"):
        retrieval_report(scores, PAIRS, GALLERY, card_for(PAIRS, GALLERY, queries=8))
    with pytest.raises(DataError, match=r"protocol.gallery is 4, but the data evaluated have 5"):
        retrieval_report(scores, PAIRS, GALLERY, card_for(PAIRS, GALLERY, gallery=4))
    with pytest.raises(DataError, match=r"protocol.split_hash is 'old', but the data evaluated"):
        retrieval_report(scores, PAIRS, GALLERY, card_for(PAIRS, GALLERY, split_hash="old"))
    card = card_for(PAIRS, GALLERY, postprocessing="dsl 1")
    with pytest.raises(DataError, match=r"'dsl 1' changes each direction .* pass v2t_scores too"):
        retrieval_report(scores, PAIRS, GALLERY, card)


def test_video_to_text_reads_its_own_scores() -> None:
    good = np.array([[1.0 if pair.video == name else 0.0 for name in GALLERY] for pair in PAIRS])
    card = card_for(PAIRS, GALLERY, postprocessing="dsl 1")
    report = retrieval_report(-good, PAIRS, GALLERY, card, v2t_scores=good)
    assert report.ranks.t2v == [5] * 7
    assert report.ranks.v2t == [1] * 4
