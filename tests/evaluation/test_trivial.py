"""Recalls among K videos or fewer are 100 of any model: tables leave them out and say so."""

from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from oracles.slow_retrieval import card_for, pairs_of
from reeltune.evaluation.remarks import all_said, remarks_of
from reeltune.evaluation.retrieval import Report, retrieval_report
from reeltune.evaluation.trivial import shown, trivial, trivial_said
from reeltune.types import LeftOut


def worst_report(videos: int, captions: int, v2t: str) -> Report:
    """The report of a model that puts every wrong answer before the right one."""
    gallery = [f"v{n}" for n in range(videos)]
    pairs = pairs_of([video for video in gallery for _ in range(captions)])
    own = np.array([[pair.video == video for video in gallery] for pair in pairs])
    return retrieval_report(1.0 - own, pairs, gallery, card_for(pairs, gallery, v2t=v2t))


@pytest.mark.parametrize("v2t", ["grouped", "any"])
@pytest.mark.parametrize("captions", [1, 3])
@pytest.mark.parametrize("videos", [2, 4, 5, 6, 10, 11])
def test_they_are_those_in_which_the_worst_model_has_100(
    videos: int, captions: int, v2t: str
) -> None:
    report = worst_report(videos, captions, v2t)
    figures = [("t2v", report.t2v), ("v2t", report.v2t)]
    wanted = [f"{w} {k}" for w, f in figures for k in ("R@1", "R@5", "R@10") if f[k] == 100]
    assert trivial(report) == wanted


def test_a_table_has_a_dash_and_a_sentence_in_their_place() -> None:
    report = worst_report(8, 1, "grouped")
    console = Console(width=200, color_system=None)
    with console.capture() as captured:
        console.print(report.table())
    row = next(line for line in captured.get().splitlines() if line.startswith("t2v"))
    assert row.split()[4:6] == ["-", "100.0"], "R@10, and SumR that contains it"
    assert "| text to video | 0.0 | 0.0 | - | 8.0 |" in report.markdown()
    said = trivial_said(report)[0]
    assert said == (
        "not shown, since with so few candidates they are always 100: t2v R@10, v2t R@10"
    )
    assert any(said[3:] in line for line in report.markdown())
    assert shown({"R@10": 100.0}, "R@10", ["t2v R@10"], "v2t") == "100.0"


def test_remarks_on_several_reports_are_said_once() -> None:
    report = worst_report(8, 1, "grouped")
    gone = LeftOut(what="video", reason="not in the folder videos", count=1, names=("c",))
    card = replace(report.protocol, left_out={"test": (gone,)})
    remarks = remarks_of([report, replace(report, protocol=card)])
    assert remarks.incomplete
    assert remarks.trivial == ["t2v R@10", "v2t R@10"]
    assert remarks.said == [*trivial_said(report), f"left out of test: {gone}"]
    assert all_said([remarks, remarks_of([report])]) == remarks.said
