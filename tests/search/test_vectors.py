"""Vectors as they lie in the files of a table are those that the table gives."""

from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pytest

from reeltune.search.store import vectors as _vectors
from reeltune.search.store.dataset import Table
from reeltune.search.store.nearest import vectors_of
from reeltune.search.store.vectors import copied, mapped, vectors_in

WIDE = 64  # numbers, so that Lance stores them one after the other


def rows(rng: np.random.Generator, count: int, width: int = WIDE) -> pa.Table:
    made = rng.standard_normal((count, width)).astype(np.float32)
    vector = pa.FixedSizeListArray.from_arrays(pa.array(made.ravel()), width)
    return pa.table({"id": rng.integers(0, 2**60, count), "vector": vector})


@pytest.fixture
def dataset(tmp_path: Path) -> Table:
    """Fragments of unlike sizes, with rows deleted at a beginning and within, one replaced, a whole
    fragment gone, and a column in files of its own."""
    rng = np.random.default_rng(0)
    uri = str(tmp_path / "t.lance")
    dataset = lance.write_dataset(rows(rng, 50), uri, max_rows_per_file=20)
    dataset = lance.write_dataset(rows(rng, 7), dataset, mode="append")
    dataset = lance.write_dataset(rows(rng, 3), dataset, mode="append")
    dataset.add_columns({"note": "'none'"})
    ids = dataset.to_table(columns=["id"])["id"].to_pylist()
    gone = [*ids[:3], ids[25], *ids[50:57]]
    dataset.delete(f"id IN ({', '.join(map(str, gone))})")
    dataset.update({"note": "'moved'"}, where=f"id = {ids[30]}")
    return Table(lance.dataset(uri))


def addresses(dataset: Table) -> np.ndarray:
    found = dataset.to_table(columns=["id"], with_row_address=True)
    return found["_rowaddr"].to_numpy().astype(np.int64)


def test_mapped_copied_and_read_are_the_same(dataset: Table) -> None:
    told = vectors_of(dataset.to_table(columns=["vector"]))
    queries = np.random.default_rng(1).standard_normal((3, WIDE))
    wanted = np.random.default_rng(2).permutation(len(told))
    map_of_files = mapped(dataset, "vector", addresses(dataset))
    assert map_of_files is not None
    assert all(isinstance(part.base, np.memmap) for part in map_of_files.parts)
    for vectors in (map_of_files, copied(dataset, "vector")):
        np.testing.assert_array_equal(vectors[wanted], told[wanted])
        np.testing.assert_allclose(vectors.scores(queries), queries @ told.T, atol=1e-4)
        assert vectors[wanted[:0]].shape == (0, WIDE)


@pytest.mark.parametrize("small", [1, 2 * 7 * WIDE, _vectors.SMALL])
@pytest.mark.parametrize("piece", [1, _vectors.PIECE])
@pytest.mark.parametrize("count", [1, 2, _vectors.FEW + 1])
@pytest.mark.parametrize("cores", [1, 3])
def test_scores_are_the_same_in_whatever_pieces(
    small: int,
    piece: int,
    count: int,
    cores: int,
    dataset: Table,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    monkeypatch.setattr(_vectors, "SHARE", 1)
    assert _vectors.our_threads() == cores
    monkeypatch.setattr(_vectors, "SMALL", small)
    monkeypatch.setattr(_vectors, "PIECE", piece)
    told = vectors_of(dataset.to_table(columns=["vector"]))
    queries = np.random.default_rng(1).standard_normal((count, WIDE))
    vectors = mapped(dataset, "vector", addresses(dataset))
    assert vectors is not None
    np.testing.assert_allclose(vectors.scores(queries), queries @ told.T, atol=1e-4)


@pytest.mark.parametrize(
    ("blas", "omp"), [(None, None), ("2", None), (None, "1"), ("1", "1"), ("1", "2")]
)
def test_products_are_left_to_blas_unless_it_has_one_thread(
    blas: str | None, omp: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("OPENBLAS_NUM_THREADS", blas), ("OMP_NUM_THREADS", omp)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert _vectors.our_threads() == 1


def test_rows_in_another_order_than_that_of_the_files() -> None:
    """As well as all rows of the files in theirs, which nothing has to put in order."""
    whole = rows(np.random.default_rng(0), 50)
    told, query = vectors_of(whole), np.random.default_rng(1).standard_normal((1, WIDE))
    for places in (np.arange(50), np.arange(50)[::-1], np.arange(49), np.arange(1, 50)):
        scores = _vectors.Vectors([told[:20], told[20:]], WIDE, places).scores(query)
        np.testing.assert_allclose(scores, query @ told[places].T, atol=1e-4)


def test_what_is_not_stored_as_plain_numbers_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers that are all alike are stored once."""
    monkeypatch.setattr(_vectors, "MAPPED_FROM", 0)
    few = rows(np.random.default_rng(0), 400, width=4)
    dataset = Table.create(tmp_path / "t.lance", few)
    assert mapped(dataset, "vector", addresses(dataset)) is None
    found = vectors_in(dataset, "vector", addresses(dataset))
    np.testing.assert_array_equal(found[np.arange(400)], vectors_of(few))


def test_a_map_that_differs_from_the_table_is_not_used(
    dataset: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shifted(*arguments: object, offset: int, **more: object) -> np.ndarray:
        return plain(*arguments, offset=offset + 4, **more)  # type: ignore[call-overload]

    plain = np.memmap
    monkeypatch.setattr(np, "memmap", shifted)
    assert mapped(dataset, "vector", addresses(dataset)) is None


def test_a_table_without_rows_can_be_mapped(tmp_path: Path) -> None:
    empty = rows(np.random.default_rng(0), 0)
    dataset = Table.create(tmp_path / "t.lance", empty)
    found = mapped(dataset, "vector", addresses(dataset))
    assert found is not None
    assert found.scores(np.zeros((2, WIDE))).shape == (2, 0)
