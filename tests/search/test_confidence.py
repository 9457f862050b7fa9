"""How sure an answer is: scores against what is usual, and the number of moments."""

import math
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from moment_tables import DIM, moments, table, unit

from reeltune.media.squares import fitted
from reeltune.models.opening.open import open_encoder
from reeltune.search._by_torch import ByTorch
from reeltune.search._confidence import POOR, WEIGHTS, confidence, kind_of
from reeltune.search._model_usual import FILE_NAME, keep_usual, usual_in, usual_of
from reeltune.search._usual import Baseline, Usual, usual
from reeltune.search.background import SIDE, captions, pictures
from reeltune.search.library import Library
from reeltune.search.query import answer, may_match
from reeltune.search.store.gallery import Gallery
from reeltune.types import Hit

USUAL = Usual(texts=0.2, spread=0.03, pictures=0.6)  # much as of a CLIP
KINDS = ("short", "text", "picture")


def test_the_captions_of_the_background_are_varied_and_plain() -> None:
    assert len(captions()) == len(set(captions())) >= 250
    assert all(2 <= len(caption.split()) <= 15 for caption in captions())


def test_the_pictures_of_the_background_are_twelve_different_squares() -> None:
    squares = [np.asarray(one) for one in pictures()]
    assert [one.shape for one in squares] == [(SIDE, SIDE, 3)] * 12
    means = {tuple(one.mean((0, 1)).round().tolist()) for one in squares}
    assert len(means) == 12
    assert all(one.std() > 3 for one in squares)


def test_a_baseline_is_mean_and_deviation_over_the_captions() -> None:
    rng = np.random.default_rng(0)
    texts, vectors = unit(rng, 20, DIM), unit(rng, 3, DIM)
    mean, std = Baseline(texts).of(vectors)
    for row in range(3):
        scores = [float(text @ vectors[row]) for text in texts]
        assert mean[row] == pytest.approx(np.mean(scores), abs=1e-6)
        assert std[row] == pytest.approx(np.std(scores), abs=1e-6)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("baseball", "short"),
        ("riding a bike", "short"),
        ("  riding \t a\n bike ", "short"),
        ("two men riding bikes", "text"),
        (None, "picture"),
    ],
)
def test_a_query_of_up_to_three_words_is_short(text: str | None, kind: str) -> None:
    assert kind_of(text) == kind


def test_confidence_is_a_logistic_of_strength_and_crowd() -> None:
    for kind, strength in (("short", 4.0), ("text", 4.0), ("picture", 0.5)):
        a, b, c = WEIGHTS[kind]
        score = 0.8 if kind == "picture" else 0.2 + 4 * 0.03
        expected = 1 / (1 + math.exp(-(a * strength + b * math.log(7) + c)))
        assert confidence([score], 7, USUAL, kind)[0] == pytest.approx(expected)


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


@pytest.mark.parametrize("kind", ["short", "text"])
def test_the_scale_of_a_model_does_not_matter(kind: str) -> None:
    scores = np.array([0.25, 0.3, 0.35])
    stretched = Usual(texts=0.2 * 2 + 0.1, spread=0.03 * 2, pictures=0.6)
    np.testing.assert_allclose(
        confidence(scores, 50, USUAL, kind), confidence(scores * 2 + 0.1, 50, stretched, kind)
    )


def test_a_usual_score_of_a_usual_library_is_poor_and_an_identical_picture_is_not() -> None:
    for count in (10, 100, 1000):
        for kind in ("short", "text"):
            assert confidence([USUAL.texts], count, USUAL, kind)[0] < POOR[kind]
        assert confidence([USUAL.pictures], count, USUAL, "picture")[0] < POOR["picture"]
        assert confidence([1.0], count, USUAL, "picture")[0] > 0.9


def test_what_is_poor_depends_on_the_kind_of_the_query() -> None:
    def hit(confidence: float | None) -> Hit:
        return Hit(
            path="a",
            location="/a",
            start=0.0,
            end=1.0,
            score=0.5,
            confidence=confidence,
            duration=1.0,
        )

    queries = {"short": "dog", "text": "a dog runs along the beach", "picture": None}
    for kind, query in queries.items():
        at = POOR[kind]
        assert may_match([hit(0.0), hit(at)], query)
        assert not may_match([hit(0.0), hit(at - 1e-6)], query)
        assert may_match([hit(None)], query)
    assert POOR["short"] < POOR["text"]


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


def test_halfway_is_the_mean_of_each_figure() -> None:
    found = Usual(0.0, 0.1, 0.2).halfway_to(Usual(0.4, 0.3, 0.8))
    assert (found.texts, found.spread, found.pictures) == pytest.approx((0.2, 0.2, 0.5))


@pytest.mark.parametrize("ann_rows", [0, 1_000_000])
def test_a_gallery_says_what_is_usual_in_it(tmp_path: Path, ann_rows: int) -> None:
    rng = np.random.default_rng(0)
    made = [moments(f"v{i}", unit(rng, 3, DIM)) for i in range(4)]
    own = Gallery(table(tmp_path, *made), ann_rows).usual
    assert (own.texts, own.spread) == (0.0, 1.0)


def test_what_is_usual_is_taken_from_all_over_a_small_library(tmp_path: Path) -> None:
    files = [moments(f"v{i}", vector[None]) for i, vector in enumerate(np.eye(DIM)[:4])]
    files += [moments(f"w{i}", np.eye(DIM)[4:5]) for i in range(4)]
    pairs, same = 8 * 7 / 2, 4 * 3 / 2  # of the last four files, every two are the same picture
    assert Gallery(table(tmp_path, *files)).usual.pictures == pytest.approx(same / pairs)


def test_answers_carry_their_confidence(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    made = [moments(f"v{i}", unit(rng, 2, DIM)) for i in range(9)]
    gallery, query = Gallery.read(table(tmp_path, *made)), unit(rng, DIM)
    for kind in KINDS:
        hits = answer(gallery, query, chance=partial(confidence, usual=USUAL, kind=kind))
        expected = confidence([hit.score for hit in hits], 18, USUAL, kind)
        assert [hit.confidence for hit in hits] == expected.tolist()


def test_what_is_usual_for_a_model_against_loops(model: str) -> None:
    opened = open_encoder(model)
    rule, seen = opened.pixels, []
    for picture in pictures():
        square = fitted(picture, rule)
        frames = torch.from_numpy(square)[None, None]
        with torch.inference_mode():
            vector = opened.encode_video(frames, torch.ones(1, 1, dtype=torch.bool))[0]
        seen.append(vector.numpy())
    with torch.inference_mode():
        read = opened.encode_text(opened.tokenize(captions())).numpy()
    scores = [[float(text @ one) for text in read] for one in seen]
    pairs = [float(a @ b) for i, a in enumerate(seen) for j, b in enumerate(seen) if i != j]
    found = usual_of(ByTorch(opened))
    assert found.texts == pytest.approx(np.mean(scores), abs=1e-5)
    assert found.spread == pytest.approx(np.sqrt(np.mean(np.var(scores, axis=1))), abs=1e-5)
    assert found.pictures == pytest.approx(np.mean(pairs), abs=1e-5)


def test_a_search_measures_scores_halfway_between_the_model_and_the_library(library: Path) -> None:
    opened = Library(library)
    scale = usual_of(ByTorch(opened.model)).halfway_to(opened.gallery.usual)
    for text, kind in (("red", "short"), ("something red is shown here", "text")):
        hits = opened.search(text)
        expected = confidence([hit.score for hit in hits], opened.gallery.count, scale, kind)
        assert [hit.confidence for hit in hits] == pytest.approx(expected.tolist())


def replaced(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new)


def test_an_index_run_leaves_what_is_usual_for_the_model(
    library: Path, model: str, tmp_path: Path
) -> None:
    opened, kept = ByTorch(open_encoder(model)), tmp_path / FILE_NAME
    shutil.copy(library / FILE_NAME, kept)
    assert usual_in(tmp_path, opened) == usual_of(opened)
    before = kept.read_text()
    kept.write_text(before.replace('"texts": ', '"texts": 1'))
    keep_usual(tmp_path, opened)
    assert usual_in(tmp_path, opened).texts > 1, "it is not measured again"
    for change in (
        replaced("}", ""),
        replaced('"spread": ', '"spread": -'),
        replaced('"background": "', '"background": "0'),
        replaced('"fingerprint": "', '"fingerprint": "0'),
    ):
        kept.write_text(change(before))
        assert usual_in(tmp_path, opened) == usual_of(opened)
        keep_usual(tmp_path, opened)
        assert kept.read_text() == before


def test_a_library_of_an_older_reeltune_is_searched_all_the_same(
    library: Path, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    shutil.copytree(library, old, ignore=shutil.ignore_patterns(FILE_NAME))
    assert Library(old).search("red") == Library(library).search("red")
    assert not (old / FILE_NAME).exists()
