"""The nearest vectors, against loops."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moment_tables import unit

from reeltune.search.store import nearest as _nearest
from reeltune.search.store.dataset import Table
from reeltune.search.store.nearest import (
    METRIC,
    Groups,
    Index,
    best_rows,
    build_index,
    exact_scores,
)

FEW = st.lists(st.integers(-2, 2), min_size=1, max_size=30)  # ties are common


@given(FEW, st.integers(1, 40))
def test_the_best_rows_with_all_that_tie(scores: list[int], count: int) -> None:
    least = sorted(scores, reverse=True)[: min(count, len(scores))][-1]
    expected = [row for row, score in enumerate(scores) if score >= least]
    assert best_rows(np.array(scores, np.float32), count).tolist() == expected


@given(FEW, st.integers(1, 40))
def test_rows_that_a_filter_hides_are_never_best(scores: list[int], count: int) -> None:
    hidden = np.array([-np.inf if score < 0 else score for score in scores], np.float32)
    assert all(scores[row] >= 0 for row in best_rows(hidden, count))


@given(FEW, st.integers(1, 6), st.data())
def test_the_best_row_of_each_group(scores: list[int], count: int, data: st.DataObject) -> None:
    drawn = st.lists(st.integers(0, 4), min_size=len(scores), max_size=len(scores))
    keys = data.draw(drawn)
    tops = {key: max(s for s, k in zip(scores, keys, strict=True) if k == key) for key in keys}
    least = sorted(tops.values(), reverse=True)[: min(count, len(tops))][-1]
    pairs = enumerate(zip(scores, keys, strict=True))
    expected = [row for row, (score, key) in pairs if score == tops[key] >= least]
    found = Groups.of(np.array(keys)).best_rows(np.array(scores, np.float32), count)
    assert found.tolist() == expected


@settings(max_examples=30)
@given(st.integers(0, 1000), st.integers(1, 70))
def test_equal_vectors_score_the_same_wherever_they_stand(seed: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((50, width)).astype(np.float32)
    vectors[rng.integers(0, 50, 20)] = vectors[0]
    query = rng.standard_normal(width).astype(np.float32)
    scores = exact_scores(vectors, query)
    same = (vectors == vectors[0]).all(axis=1)
    assert len(set(scores[same])) == 1
    np.testing.assert_allclose(scores, vectors.astype(float) @ query.astype(float), atol=1e-12)
    assert exact_scores(vectors[:0], query).shape == (0,)


@pytest.mark.parametrize("width", [10, 16])
def test_vectors_of_any_width_can_be_indexed(tmp_path: Path, width: int) -> None:
    vectors = np.random.default_rng(0).standard_normal((200, width)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    flat = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), width)
    rows = pa.table({"row": np.arange(200), "vector": flat})
    dataset = Table.create(tmp_path / "t.lance", rows)
    build_index(dataset)
    nearest = Index.of(dataset).nearest(10, vectors[7], passing=None)
    found = dataset.to_table(columns=["row", "_distance"], nearest=nearest)["row"].to_pylist()
    assert found == np.argsort(-(vectors @ vectors[7]))[:10].tolist()


def test_what_is_near_a_text_is_in_few_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_nearest, "CELL", 100)
    monkeypatch.setattr(_nearest, "CELLS", 8)
    rng, width = np.random.default_rng(0), 64
    things, noise = unit(rng, 500, width), unit(rng, 10_000, width)
    pictures, texts = unit(rng, width), unit(rng, width)
    vectors = things[rng.integers(0, 500, 10_000)] + pictures + 0.5 * noise
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    flat = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), width)
    dataset = Table.create(tmp_path / "t.lance", pa.table({"vector": flat}))
    build_index(dataset)
    index, found = Index.of(dataset), []
    assert (index.metric, index.cells) == (METRIC, 20)
    for query in (things + texts) / np.linalg.norm(things + texts, axis=1, keepdims=True):
        near = index.nearest(64, query, passing=None)
        rows = dataset.to_table(columns=["_distance"], with_row_id=True, nearest=near)
        truth = np.argsort(-(vectors @ query))[:10]
        found.append(np.isin(truth, rows["_rowid"].to_numpy()).mean())
    assert np.mean(found) >= 0.95


def test_what_texts_far_from_all_pictures_are_nearest_to_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_nearest, "CELL", 100)
    rng, width = np.random.default_rng(0), 256
    axes = np.linalg.qr(rng.standard_normal((width, width)))[0]
    drawn = rng.standard_normal((10_040, width)) * np.arange(1, width + 1) ** -0.25 @ axes
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    pictures, other = unit(rng, width), unit(rng, width)
    vectors = np.float32(pictures + drawn[:10_000])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    texts = np.float32(0.4 * pictures + other + 0.8 * drawn[10_000:])
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    flat = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), width)
    dataset = Table.create(tmp_path / "t.lance", pa.table({"vector": flat}))
    build_index(dataset)
    found = []
    for query in texts:
        near = Index(METRIC, cells=100, refine=None).nearest(64, query, passing=None)
        rows = dataset.to_table(columns=["_distance"], with_row_id=True, nearest=near)
        found.append(np.isin(np.argsort(-(vectors @ query))[:10], rows["_rowid"].to_numpy()).mean())
    assert np.mean(found) >= 0.95
