"""What a person reads: every figure is in the table, and names are printed as they are."""

from dataclasses import replace

import numpy as np
from rich.console import Console
from rich.table import Table

from oracles.slow_retrieval import card_for, pairs_of
from reeltune.evaluation.compare import compare
from reeltune.evaluation.retrieval import Report, retrieval_report

GALLERY = [f"v{i}" for i in range(20)]
PAIRS = pairs_of(GALLERY, [("[hard]",)] * 5 + [()] * 15)


def report_of(seed: int, **changed: object) -> Report:
    scores = np.eye(20) + np.random.default_rng(seed).standard_normal((20, 20))
    card = card_for(PAIRS, GALLERY, **changed)
    return retrieval_report(scores, PAIRS, GALLERY, card)


def text_of(table: Table) -> str:
    console = Console(width=200, color_system=None, markup=False)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def test_a_report_as_a_table() -> None:
    report = report_of(0, model="[vop]")
    text = text_of(report.table())
    assert "[vop] on toybox test: 20 x 20" in text
    assert "t2v [hard] (5)" in text
    assert "v2t (grouped)" in text
    for figures in (report.t2v, report.v2t):
        assert all(f"{figures[name]:.1f}" in text for name in ("R@1", "SumR", "MnR", "mAP"))
    low, high = report.intervals["t2v R@1"]
    assert f"({low:.1f}-{high:.1f})" in text


def test_recalls_that_few_candidates_make_certain_are_left_out() -> None:
    gallery = ["a", "b", "c", "d", "e", "f"]
    pairs = pairs_of([video for video in gallery for _ in range(2)])
    reports = {}
    for v2t in ("grouped", "any"):
        card = card_for(pairs, gallery, v2t=v2t)
        reports[v2t] = retrieval_report(np.eye(6).repeat(2, axis=0), pairs, gallery, card)
    grouped, any_ = (compare(report, report) for report in reports.values())
    assert grouped.certain == ("t2v R@10", "v2t R@10")
    assert any_.certain == ("t2v R@10",), "twelve captions are ranked"
    assert not set(grouped.certain) & set(grouped.differences)
    assert grouped.lacks() == [
        "not compared, since with so few candidates they are always 100: t2v R@10, v2t R@10"
    ]
    text = text_of(reports["grouped"].table())
    (row,) = (line.split() for line in text.splitlines() if line.startswith("t2v"))
    assert row == ["t2v", "100.0", "(100.0-100.0)", "100.0", "-", "300.0", "1.0", "1.0", "100.0"]


def test_a_post_processed_report_says_so() -> None:
    report = report_of(0)
    card = replace(report.protocol, postprocessing="dsl 0.01")
    assert "after dsl 0.01" in text_of(replace(report, protocol=card).table())


def test_a_comparison_as_a_table() -> None:
    found = compare(report_of(0), report_of(1, model="full"))
    text = text_of(found.table())
    assert "vop (seed 1) against full (seed 1), v2t by grouped" in text
    assert "t2v [hard] R@1" in text
    assert text.count("inside noise") + text.count("outside noise") == len(found.differences)
