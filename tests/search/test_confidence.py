"""How sure an answer is: scores against what is usual, and the number of moments."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moment_tables import DIM, MANIFEST, moments, rows_of, table, unit

from reeltune.search._confidence import GOOD, KNOWN, Baseline, Usual, background, confidence, usual
from reeltune.search.query import answer
from reeltune.search.store.dataset import Table
from reeltune.search.store.gallery import Gallery
from reeltune.search.store.schema import to_table

USUAL = Usual(texts=0.2, spread=0.03, pictures=0.6)  # much as of a CLIP
KINDS = ("text", "picture")


def test_the_background_is_varied_and_plain() -> None:
    captions = background()
    assert len(captions) == len(set(captions)) >= 250
    assert all(2 <= len(caption.split()) <= 15 for caption in captions)


def test_a_baseline_is_mean_and_deviation_over_the_captions() -> None:
    rng = np.random.default_rng(0)
    texts, vectors = unit(rng, 20, DIM), unit(rng, 3, DIM)
    mean, std = Baseline(texts).of(vectors)
    for row in range(3):
        scores = [float(text @ vectors[row]) for text in texts]
        assert mean[row] == pytest.approx(np.mean(scores), abs=1e-6)
        assert std[row] == pytest.approx(np.std(scores), abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@given(st.lists(st.floats(-1, 1), min_size=2, max_size=9), st.integers(1, 10**7))
def test_confidence_is_a_chance_that_grows_with_the_score(
    kind: str, scores: list[float], count: int
) -> None:
    sure = confidence(np.sort(scores), count, USUAL, kind)
    assert ((sure >= 0) & (sure <= 1)).all()
    assert (np.diff(sure) >= 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_best_of_more_moments_is_less_sure_up_to_what_the_fit_knows(kind: str) -> None:
    one, few, many, more = (confidence([0.31], n, USUAL, kind)[0] for n in (1, 30, 1000, 10**6))
    assert one > few > many == more


def test_the_scale_of_a_model_does_not_matter() -> None:
    scores = np.array([0.25, 0.3, 0.35])
    stretched = Usual(texts=0.2 * 2 + 0.1, spread=0.03 * 2, pictures=0.6)
    np.testing.assert_allclose(
        confidence(scores, 50, USUAL, "text"), confidence(scores * 2 + 0.1, 50, stretched, "text")
    )


def test_a_usual_score_is_no_match_and_an_identical_picture_is() -> None:
    for count in (1, 100, 1000):
        assert confidence([USUAL.texts], count, USUAL, "text")[0] < GOOD
        assert confidence([USUAL.pictures], count, USUAL, "picture")[0] < GOOD
        assert confidence([1.0], count, USUAL, "picture")[0] > 0.9


def test_what_is_usual_in_a_library_against_loops() -> None:
    rng = np.random.default_rng(0)
    some, videos = unit(rng, 12, DIM) + 0.5, np.repeat(np.array(list("abcd")), 3)
    some /= np.linalg.norm(some, axis=1, keepdims=True)
    mean, std = rng.random(12), rng.random(12)
    pairs = [
        float(some[i] @ some[j]) for i in range(12) for j in range(12) if videos[i] != videos[j]
    ]
    found = usual(mean, std, some, videos)
    assert found.texts == pytest.approx(mean.mean())
    assert found.spread == pytest.approx(np.sqrt((std**2).mean()))
    assert found.pictures == pytest.approx(np.mean(pairs), abs=1e-6)


def test_a_library_of_one_video_or_none_has_something_usual_too() -> None:
    rng = np.random.default_rng(0)
    nothing = usual(np.empty(0), np.empty(0), np.empty((0, DIM)), np.empty(0, str))
    assert nothing == Usual(0.0, 1.0, 0.0)
    one = usual(np.zeros(2), np.zeros(2), unit(rng, 2, DIM), np.array(["a", "a"]))
    assert one.pictures == 0.0
    assert one.spread > 0


@pytest.mark.parametrize("ann_rows", [0, 1_000_000])
def test_a_gallery_takes_the_models_figures_else_its_own(tmp_path: Path, ann_rows: int) -> None:
    rng = np.random.default_rng(0)
    made = [moments(f"v{i}", unit(rng, 3, DIM)) for i in range(4)]
    own = Gallery(table(tmp_path, *made), ann_rows).usual
    assert (own.texts, own.spread) == (0.0, 1.0)
    known = MANIFEST.model_copy(update={"model": "lite"})
    rows = to_table(made[0], known, 0)
    dataset = Table.create(tmp_path / "lite.lance", rows)
    assert Gallery(dataset, ann_rows).usual == KNOWN["lite"]


def test_what_is_usual_is_taken_from_all_over_a_small_library(tmp_path: Path) -> None:
    files = [moments(f"v{i}", vector[None]) for i, vector in enumerate(np.eye(DIM)[:4])]
    files += [moments(f"w{i}", np.eye(DIM)[4:5]) for i in range(4)]
    pairs, same = 8 * 7 / 2, 4 * 3 / 2  # of the last four files, every two are the same picture
    assert Gallery(table(tmp_path, *files)).usual.pictures == pytest.approx(same / pairs)


def test_answers_carry_their_confidence(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    spread = np.full(2, 0.1, np.float32)
    made = [replace(moments(f"v{i}", unit(rng, 2, DIM)), baseline_std=spread) for i in range(9)]
    gallery, query = Gallery.read(table(tmp_path, *made)), unit(rng, DIM)
    for kind, name in (("text", "text"), ("video", "picture")):
        hits = answer(gallery, query, kind=kind)
        scores = [hit.score for hit in hits]
        expected = confidence(scores, len(rows_of(*made)), gallery.usual, name)
        assert [hit.confidence for hit in hits] == expected.tolist()
