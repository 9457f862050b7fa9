"""What is asked for beside a report: scores in a file, and figures after post-processing."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_rescore import slow_dsl, slow_qb_norm

from oracles.slow_retrieval import card_for, pairs_of, slow_t2v, slow_v2t_any
from reeltune.errors import ConfigError, DataError
from reeltune.evaluation.beside import (
    Asked,
    Scored,
    bank_of,
    require_hubs,
    require_scores_file,
    with_asked,
    write_scores,
)
from reeltune.evaluation.compare import compare
from reeltune.evaluation.protocols import postprocessing_named
from reeltune.evaluation.retrieval import Report, retrieval_report
from reeltune.types import LeftOut, Split

VIDEOS = ["a", "b", "c", "d"]
PAIRS = pairs_of([video for video in VIDEOS for _ in range(2)])
LACKS = LeftOut(what="video", reason="not there", count=1, names=("t9",))
BANK = Split(pairs=tuple(pairs_of(["t0", "t0", "t1", "t2"])), captions="multiple")
SOURCE = np.random.default_rng(0)
TEXTS, CLIPS = SOURCE.standard_normal((8, 5)), SOURCE.standard_normal((4, 5))
OTHER_TEXTS, OTHER_CLIPS = SOURCE.standard_normal((4, 5)), SOURCE.standard_normal((3, 5))


def scored() -> Scored:
    """Scores are inner products of these vectors; the bank's are asked for by its own pairs."""

    def of_texts(texts: list[str]) -> np.ndarray:
        assert texts == [pair.caption for pair in BANK.pairs]
        return OTHER_TEXTS @ CLIPS.T

    def of_clips(clips: list) -> np.ndarray:
        assert sorted(clip.video for clip in clips) == ["t0", "t1", "t2"]
        rows = [int(clip.video[1]) for clip in clips]
        return TEXTS @ OTHER_CLIPS[rows].T

    return Scored(TEXTS @ CLIPS.T, of_texts, of_clips)


def plain(v2t: str = "any") -> Report:
    return retrieval_report(TEXTS @ CLIPS.T, PAIRS, VIDEOS, card_for(PAIRS, VIDEOS, v2t=v2t))


def test_figures_beside_are_those_of_the_formulas_and_the_headline_stays() -> None:
    asked = Asked(post=("dsl 0.5", "qb-norm 20 1"), bank=replace(BANK, left_out=(LACKS,)))
    report = with_asked(plain(), asked, scored(), PAIRS, VIDEOS)
    raw = TEXTS @ CLIPS.T
    there = {
        "dsl 0.5": slow_dsl(raw, 0.5),
        "qb-norm 20 1": slow_qb_norm(raw, OTHER_TEXTS @ CLIPS.T, 20, 1),
    }
    back = {
        "dsl 0.5": slow_dsl(raw.T, 0.5).T,
        "qb-norm 20 1": slow_qb_norm(raw.T, (TEXTS @ OTHER_CLIPS.T).T, 20, 1).T,
    }
    for name in there:
        found = report.ranks.beside
        assert found[f"{name} t2v"] == slow_t2v(there[name], PAIRS, VIDEOS)
        assert found[f"{name} v2t"] == slow_v2t_any(back[name], PAIRS, VIDEOS)[0]
        assert report.beside[f"{name} t2v"]["MnR"] == np.mean(found[f"{name} t2v"])
    assert (report.t2v, report.v2t) == (plain().t2v, plain().v2t)
    assert report.protocol.postprocessing == "none"
    assert report.protocol.left_out == {"train": (LACKS,)}, "what the bank lacks"


def test_a_report_with_figures_beside_survives_json_and_counts_their_ranks(tmp_path: Path) -> None:
    report = with_asked(plain(), Asked(post=("dsl 0.5",)), scored(), PAIRS, VIDEOS)
    report.write(tmp_path / "r.json")
    assert Report.read(tmp_path / "r.json") == report
    short = {**report.ranks.beside, "dsl 0.5 t2v": [1]}
    with pytest.raises(DataError, match="do not fit"):
        replace(report, ranks=replace(report.ranks, beside=short))


def test_a_report_that_lacks_figures_or_tags_other_queries_is_refused() -> None:
    report = plain()
    with pytest.raises(DataError, match=r"a report lacks t2v SumR, v2t MdR; evaluate again"):
        replace(report, t2v=without(report.t2v, "SumR"), v2t=without(report.v2t, "MdR"))
    for pair in (-1, len(PAIRS)):
        with pytest.raises(DataError, match="do not fit"):
            replace(report, ranks=replace(report.ranks, tagged={"long": [0, pair]}))


def without(figures: dict[str, float], name: str) -> dict[str, float]:
    return {key: value for key, value in figures.items() if key != name}


def test_scores_are_written_with_the_ids_of_rows_and_columns(tmp_path: Path) -> None:
    path = tmp_path / "scores.npy"
    report = with_asked(plain(), Asked(scores=path), scored(), PAIRS, VIDEOS)
    values, ids = np.load(path), json.loads((tmp_path / "scores.ids.json").read_text())
    np.testing.assert_array_equal(values, TEXTS @ CLIPS.T)
    assert [row["caption"] for row in ids["rows"]] == [pair.caption for pair in PAIRS]
    own = [ids["columns"].index(row["video"]) for row in ids["rows"]]
    hits = values.argmax(axis=1) == own
    assert 100 * hits.mean() == report.t2v["R@1"], "the figures can be made again of the files"
    assert ids["protocol"]["split_hash"] == report.protocol.split_hash
    assert report.beside == {}


def test_scores_go_to_a_numpy_file(tmp_path: Path) -> None:
    for call in (
        lambda: require_scores_file(tmp_path / "s.csv"),
        lambda: write_scores(tmp_path / "s.csv", TEXTS, PAIRS, VIDEOS, plain().protocol),
    ):
        with pytest.raises(
            ConfigError, match=r"s\.csv is no name of a numpy file; .* s\.npy|s\.npy$"
        ):
            call()


@pytest.mark.parametrize(
    ("given", "name"),
    [("dsl:0.01", "dsl 0.01"), ("dsl:1e-2", "dsl 1e-2"), ("qb-norm:20:1", "qb-norm 20 1")],
)
def test_a_person_names_a_post_processing_as_a_card_does(given: str, name: str) -> None:
    assert postprocessing_named(given) == name


@pytest.mark.parametrize("given", ["dsl", "none", "dsl:0", "qb-norm:20", "qb-norm:20:0", "csls:1"])
def test_what_is_no_post_processing_is_refused(given: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"--post {given} is no post-processing; give --post dsl"
    ):
        postprocessing_named(given)


def test_more_hubs_than_there_are_candidates_are_refused() -> None:
    split = Split(pairs=tuple(PAIRS), captions="multiple")
    most = min(split.videos, len(PAIRS))
    require_hubs(Asked(post=(f"qb-norm 20 {most}", "dsl 9")), split)
    message = (
        rf"--post qb-norm:20:{most + 1} asks for the best {most + 1} of {most}, .* 1 to {most}"
    )
    with pytest.raises(ConfigError, match=message):
        require_hubs(Asked(post=(f"qb-norm 20 {most + 1}",)), split)


def test_the_bank_is_never_the_split_that_is_measured() -> None:
    asked = Asked(post=("qb-norm 20 1",))
    with pytest.raises(ConfigError, match="which --split train measures; measure val or test"):
        bank_of(asked, None, "train")
    assert bank_of(Asked(post=("dsl 1",)), None, "train") is None


def test_figures_beside_are_compared_and_what_one_report_has_alone_is_named() -> None:
    a = with_asked(plain(), Asked(post=("dsl 0.5", "dsl 2")), scored(), PAIRS, VIDEOS)
    b = with_asked(plain(), Asked(post=("dsl 0.5",)), scored(), PAIRS, VIDEOS)
    found = compare(a, b)
    one = found.differences["dsl 0.5 v2t R@1"]
    assert one.a == one.b == a.beside["dsl 0.5 v2t"]["R@1"]
    assert "dsl 2 t2v R@1" not in found.differences
    assert found.alone == {"a": ("dsl 2 t2v", "dsl 2 v2t"), "b": ()}
    assert found.lacks()[0] == "not compared, since A alone has them: dsl 2 t2v, dsl 2 v2t"
    better = {**b.ranks.beside, "dsl 0.5 v2t": [1, 1, 1, 1]}
    changed = compare(a, replace(b, ranks=replace(b.ranks, beside=better)))
    assert changed.differences["dsl 0.5 v2t R@1"].b == 100
    assert changed.differences["v2t R@1"].changed == 0
