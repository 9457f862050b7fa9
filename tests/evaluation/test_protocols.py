"""A card says how a number was made, and two cards say whether their numbers compare."""

from dataclasses import replace

import pytest

from oracles.slow_retrieval import card_for, pairs_of
from reeltune.errors import ConfigError
from reeltune.evaluation.protocols import split_hash

PAIRS = pairs_of(["a", "b", "b"])
CARD = card_for(PAIRS, ["a", "b"])


def test_the_hash_knows_ids_captions_spans_order_and_distractors() -> None:
    first, *rest = PAIRS
    changed = [
        [replace(first, video="c"), *rest],
        [replace(first, caption="another"), *rest],
        [replace(first, start=1.0), *rest],
        [replace(first, end=2.0), *rest],
        [*rest, first],
        rest,
    ]
    hashes = {split_hash(pairs) for pairs in [PAIRS, *changed]} | {split_hash(PAIRS, ["a", "c"])}
    assert len(hashes) == len(changed) + 2


def test_the_hash_ignores_paths_tags_and_the_order_of_the_gallery() -> None:
    moved = [replace(pair, path=pair.path.with_suffix(".webm"), tags=("new",)) for pair in PAIRS]
    assert split_hash(moved, ["b", "a"]) == split_hash(PAIRS) == split_hash(PAIRS, ["a", "b"])
    assert split_hash(PAIRS, ["c", "a", "d"]) == split_hash(PAIRS, ["d", "c"])


def test_the_hash_stays_what_it_was() -> None:
    """Reports on disk carry it: a change would forbid every comparison with them."""
    assert split_hash(PAIRS) == "33bf8481c3c2d18e"


def test_only_the_model_may_differ() -> None:
    other = replace(CARD, model="full", fingerprint="beef", seed=None)
    assert CARD.unlike(other) == {}
    other = replace(other, frames="uniform 8", v2t="any")
    assert CARD.unlike(other) == {
        "frames": ("uniform 12", "uniform 8"),
        "v2t": ("grouped", "any"),
    }


def test_the_card_as_markdown() -> None:
    rows = CARD.markdown().splitlines()
    assert rows[:2] == ["| protocol | |", "|---|---|"]
    assert "| ties | against the model |" in rows
    assert "| frames | uniform 12 |" in rows


def test_unknown_policies_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"ties is 'halved'; the only rule is 'against the model"):
        replace(CARD, ties="halved")
    with pytest.raises(ConfigError, match=r"v2t is 'mean'; it must be one of: grouped, any"):
        replace(CARD, v2t="mean")


@pytest.mark.parametrize("name", ["dsl", "qb-norm 20", "qb-norm 20 0", "DSL 1", "dsl 1 ", ""])
def test_a_post_processing_without_its_numbers_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"postprocessing is .*; write 'none', 'dsl TEMPERAT"):
        replace(CARD, postprocessing=name)


@pytest.mark.parametrize("name", ["none", "dsl 0.01", "dsl 1e-2", "qb-norm 20 1", "qb-norm 1.9 10"])
def test_post_processing_with_its_numbers_is_accepted(name: str) -> None:
    assert replace(CARD, postprocessing=name).postprocessing == name
