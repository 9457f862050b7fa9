"""One version of a real table, held in memory or answered through its index."""

from dataclasses import replace
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moment_tables import DIM, moments, random_files, rows_of, table, unit

from reeltune.errors import LibraryError
from reeltune.search.store import nearest as _nearest
from reeltune.search.store.dataset import Table
from reeltune.search.store.gallery import Gallery
from reeltune.search.store.nearest import build_index

FILTERS = (None, "path like 'v1%'", "start > 4 and size = 1002", "date < '2026-01-02'")


def slow_order(dataset: Table, query: np.ndarray) -> list[tuple[float, str, str]]:
    rows = dataset.to_table(columns=["id", "vector", "video"]).to_pylist()
    wide = query.astype(np.float64)
    scored = [
        (-float(np.sum(np.float64(row["vector"]) * wide)), row["id"], row["video"]) for row in rows
    ]
    return sorted(scored)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 40), st.booleans())
def test_the_best_are_those_of_a_sorted_list(
    tmp_path_factory: pytest.TempPathFactory, seed: int, files: int, count: int, every: bool
) -> None:
    rng = np.random.default_rng(seed)
    dataset = table(tmp_path_factory.mktemp("t"), *random_files(rng, files))
    query = unit(rng, DIM)
    order = slow_order(dataset, query)
    found = Gallery.read(dataset).rank(query).best(count, every)
    assert found.complete == min(count, len(order))
    assert found.id[: found.complete] == [id for _, id, _ in order][:count]
    np.testing.assert_allclose(found.score, np.sort(found.score)[::-1])
    if every:
        videos: dict[str, str] = {}
        for _, id, video in order:
            videos.setdefault(video, id)
        assert set(list(videos.values())[:count]) <= set(found.id)
        assert found.has_videos == (count >= len(videos) or count >= len(order))


def test_columns_stay_with_their_moment(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    made = [replace(moments(f"v{i}", unit(rng, 3, DIM)), duration=10.0 + i) for i in range(5)]
    dataset = table(tmp_path, *made)
    found = Gallery.read(dataset).rank(unit(rng, DIM)).best(15)
    rows = {row["id"]: row for row in dataset.to_table().to_pylist()}
    for place, id in enumerate(found.id):
        row = rows[id]
        assert found.path[place] == row["path"]
        np.testing.assert_array_equal(found.vector[place], np.float32(row["vector"]))
        for name in ("start", "end", "duration", "dhash"):
            assert getattr(found, name)[place] == row[name]
    same = [found.path[a] == found.path[0] for a in range(15)]
    assert ((found.video == found.video[0]) == same).all()


def test_deleted_rows_are_gone_and_row_ids_still_fit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    dataset = table(tmp_path, *(moments(f"v{i}", unit(rng, 4, DIM)) for i in range(10)))
    dataset.delete("video = 'v3'")
    dataset.append(rows_of(moments("v99", unit(rng, 2, DIM))))
    ids = dataset.to_table(columns=["id"], filter="video = 'v5'")
    dataset.merge(ids.append_column("path", pa.array(["moved.mp4"] * 4)))
    gallery = Gallery.read(Table.open(dataset.path))
    query = unit(rng, DIM)
    assert len(gallery.rank(query).best(100).id) == gallery.count == 38
    assert set(gallery.rank(query, "path like '%9%'").best(100).path) == {"v9.mp4", "v99.mp4"}
    assert len(gallery.rank(query, "path = 'moved.mp4'").best(100).id) == 4
    assert gallery.rank(query, "path like 'v3%'").best(100).id == []


def test_a_version_is_a_snapshot(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    dataset = table(tmp_path, moments("a", unit(rng, 2, DIM)))
    gallery = Gallery.read(dataset)
    newer = Table.open(dataset.path)
    newer.append(rows_of(moments("b", unit(rng, 2, DIM))))
    assert gallery.version != newer.version
    assert set(gallery.rank(unit(rng, DIM), "start >= 0").best(10).path) == {"a.mp4"}


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """1,000 moments of which the last 40 came after the index."""
    rng = np.random.default_rng(0)
    made = [moments(f"v{i}", unit(rng, 4, DIM)) for i in range(250)]
    dataset = table(tmp_path_factory.mktemp("i"), *made[:240])
    build_index(dataset)
    dataset.append(rows_of(*made[240:]))
    return dataset


@pytest.mark.parametrize("flat", [0, 50_000])
@pytest.mark.parametrize("filter", FILTERS)
def test_the_index_and_memory_agree(
    indexed: Table, filter: str | None, flat: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_nearest, "FLAT", flat)
    memory, disk = Gallery(indexed), Gallery(indexed, ann_rows=10)
    for seed in range(3):
        query = unit(np.random.default_rng(seed), DIM)
        one, two = (gallery.rank(query, filter) for gallery in (memory, disk))
        assert one.size == two.size
        few, same = one.best(20), two.best(20)
        assert few.id == same.id[:20]
        np.testing.assert_array_equal(few.score, same.score[:20])
        assert sorted(one.best(2000).id) == sorted(two.best(2000).id)


def test_an_index_of_inner_products_is_searched_as_it_was(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    dataset = table(tmp_path, *(moments(f"v{i}", unit(rng, 4, DIM)) for i in range(250)))
    lance.dataset(dataset.uri).create_index("vector", "IVF_RQ", metric="dot", num_partitions=100)
    older = Table.open(dataset.path)
    assert older.metrics() == ["dot"]
    memory, disk = Gallery(older), Gallery(older, ann_rows=10)
    for seed in range(3):
        query = unit(np.random.default_rng(seed), DIM)
        assert disk.rank(query).best(20).id == memory.rank(query).best(20).id[:20]


def test_moments_added_after_the_index_are_found(indexed: Table) -> None:
    rows = indexed.to_table(columns=["id", "vector"], filter="video = 'v249'").to_pylist()
    for row in rows:
        found = Gallery(indexed, ann_rows=10).rank(np.float32(row["vector"])).best(1)
        assert found.id[0] == row["id"]


@pytest.mark.parametrize("ann_rows", [0, 1_000_000])
def test_an_empty_table_has_no_best(tmp_path: Path, ann_rows: int) -> None:
    rows = rows_of(moments("a", unit(np.random.default_rng(0), 1, DIM)))[:0]
    gallery = Gallery(Table.create(tmp_path / "t.lance", rows), ann_rows)
    found = gallery.rank(unit(np.random.default_rng(0), DIM)).best(5, every_video=True)
    assert (found.id, found.has_all, found.has_videos) == ([], True, True)


@pytest.mark.parametrize("query", [np.ones(DIM + 1, np.float32), np.full(DIM, np.nan, np.float32)])
def test_a_query_that_cannot_be_compared_is_refused(tmp_path: Path, query: np.ndarray) -> None:
    gallery = Gallery.read(table(tmp_path, moments("a", unit(np.random.default_rng(0), 1, DIM))))
    with pytest.raises(LibraryError, match=r"must have 8 finite numbers.*got [89].*own model"):
        gallery.rank(query)


def test_damaged_vectors_are_named_with_the_remedy(tmp_path: Path) -> None:
    vectors = unit(np.random.default_rng(0), 3, DIM)
    vectors[1, 2] = np.nan
    gallery = Gallery.read(table(tmp_path, moments("a", vectors)))
    with pytest.raises(LibraryError, match=r"t\.lance.*not finite.*reeltune library repair"):
        gallery.rank(vectors[0])


@pytest.mark.parametrize("ann_rows", [0, 1_000_000])
def test_thumbnails_and_vectors_come_by_id(ann_rows: int, tmp_path: Path) -> None:
    """Also where rows before them are gone, and others came later."""
    rng = np.random.default_rng(0)
    dataset = table(tmp_path, *(moments(name, unit(rng, 3, DIM)) for name in "abc"))
    dataset.delete("video = 'a' or part = 0")
    dataset.append(rows_of(moments("d", unit(rng, 3, DIM))))
    gallery = Gallery(Table.open(dataset.path), ann_rows)
    rows = dataset.to_table(columns=["id", "vector", "thumbnail"]).to_pylist()
    pictures = {row["id"]: row["thumbnail"] for row in rows}
    assert sorted(pictures.values()) == [b"b1", b"b2", b"c1", b"c2", b"d0", b"d1", b"d2"]
    assert gallery.thumbnails([*pictures]) == pictures
    for row in rows:
        assert gallery.thumbnails([row["id"], "0" * 24]) == {row["id"]: row["thumbnail"]}
        np.testing.assert_array_equal(gallery.moment(row["id"]).vector, np.float32(row["vector"]))
    assert gallery.thumbnails([]) == {}
    assert gallery.thumbnails(["' or 1 = 1 --"]) == {}
