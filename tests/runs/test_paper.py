"""A paper's figures stand beside ours only where the split measured is the published one."""

from dataclasses import replace

import numpy as np

from oracles.slow_retrieval import card_for, pairs_of
from reeltune.evaluation.retrieval import retrieval_report
from reeltune.recipes.read import read_recipe
from reeltune.runs.paper import figures_of, paper_beside
from reeltune.types import LeftOut

PAIRS, GALLERY = pairs_of(["a", "b"]), ["a", "b"]
REPORT = retrieval_report(np.eye(2), PAIRS, GALLERY, card_for(PAIRS, GALLERY))
RECIPE = read_recipe("msrvtt-9k/vop")


def test_figures_of_another_split_are_not_set_beside() -> None:
    found, said = paper_beside(RECIPE.expected, RECIPE.test_hash, REPORT)
    assert found == {}
    assert "not set beside these" in said[0]
    assert REPORT.protocol.split_hash in said[0]
    assert RECIPE.test_hash in said[0]


def test_figures_of_the_published_split_are_unless_a_video_is_missing() -> None:
    own = RECIPE.expected, REPORT.protocol.split_hash
    assert paper_beside(*own, REPORT) == (RECIPE.expected, ())
    gone = LeftOut(what="video", reason="gone", count=1, names=("c",))
    card = replace(REPORT.protocol, left_out={"test": (gone,)})
    assert paper_beside(*own, replace(REPORT, protocol=card)) == (
        {},
        ("the paper's figures are not set beside these: 2 of 3 videos of test were measured",),
    )


def test_nothing_more_is_said_where_the_card_says_how_the_data_differ() -> None:
    card = replace(REPORT.protocol, differs=("test has 2 videos, the benchmark 1,000",))
    assert paper_beside(RECIPE.expected, RECIPE.test_hash, replace(REPORT, protocol=card)) == (
        {},
        (),
    )


def test_where_the_split_is_known_by_its_size_alone_that_is_said() -> None:
    found, said = paper_beside(RECIPE.expected, "", REPORT)
    assert found == RECIPE.expected
    assert "by its size alone" in said[0]
    assert paper_beside({}, "", REPORT) == ({}, ())


def test_figures_of_a_recipe_are_named_as_ours() -> None:
    recipe = read_recipe("msrvtt-official/dual-encoding")
    found = figures_of(recipe.expected, recipe.expected_v2t)
    assert {name.partition(" ")[0] for name in found} == {"t2v", "v2t"}
    assert found["t2v R@1"] == recipe.expected["R@1"]
    assert figures_of({"BLEU-4": 17.9}) == {"BLEU-4": 17.9}
