"""One version of a library's moments, ready to be compared with queries."""

from collections.abc import Sequence
from dataclasses import dataclass

import lance
import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int

from reeltune.search._where import refused_by_table, where

ANN_ROWS = 1_000_000  # beyond this, vectors stay on disk behind an index
COLUMNS = ("id", "video", "path", "start", "end", "duration", "dhash", "baseline_mean")
COLUMNS = (*COLUMNS, "baseline_std", "vector")
PARTITION = 4096  # moments a cell of the index, about
CELLS, REFINE = 64, 16  # cells looked into, and how many times K is re-scored exactly


@dataclass(frozen=True)
class Found:
    """Moments with their scores, best first; equal scores stand in the order of their ids."""

    id: list[str]
    video: list[str]
    path: list[str]
    start: Float[np.ndarray, " M"]
    end: Float[np.ndarray, " M"]
    duration: Float[np.ndarray, " M"]
    dhash: Int[np.ndarray, " M"]
    baseline_mean: Float[np.ndarray, " M"]
    baseline_std: Float[np.ndarray, " M"]
    vector: Float[np.ndarray, "M D"]
    score: Float[np.ndarray, " M"]
    is_all: bool  # whether there are no more than these

    @classmethod
    def of(cls, rows: pa.Table, vector: np.ndarray, score: np.ndarray, is_all: bool) -> "Found":
        names = [field.name for field in rows.schema if field.name != "vector"]
        given = {
            name: rows[name].to_pylist()
            if name in ("id", "video", "path")
            else _numbers(rows, name)
            for name in names
        }
        return cls(**given, vector=vector, score=score, is_all=is_all)


class Gallery:
    """Answers which moments are nearest to a query, exactly.

    Up to `ann_rows` moments are held in memory and all are compared. Beyond that the table's
    index names candidates and their stored vectors give the exact scores.
    """

    def __init__(self, dataset: lance.LanceDataset, ann_rows: int = ANN_ROWS) -> None:
        self.version: int = dataset.version
        self._dataset = dataset
        self.count: int = dataset.count_rows()
        self._in_memory = self.count <= ann_rows
        if self._in_memory:
            self._load()

    @classmethod
    def read(cls, dataset: lance.LanceDataset) -> "Gallery":
        return cls(dataset)

    def _load(self) -> None:
        rows = self._dataset.to_table(columns=list(COLUMNS), with_row_id=True)
        rows = rows.take(np.argsort(_texts(rows["id"])))  # ties are then broken by place
        self._vectors = vectors_of(rows)  # (N, D)
        self._row_ids = _numbers(rows, "_rowid")
        self._rows = rows.drop_columns(["vector", "_rowid"])

    def best(self, query: Float[np.ndarray, " D"], count: int, filter: str | None) -> Found:
        """The `count` moments of highest score; raises ConfigError for a filter that is wrong."""
        if self._in_memory:
            return self._best_of_all(query, count, filter)
        return self._best_of_index(query, count, filter)

    def _best_of_all(self, query: np.ndarray, count: int, filter: str | None) -> Found:
        scores = self._vectors @ query.astype(np.float32)  # (N,)
        among = np.arange(self.count) if filter is None else self._passing(filter)
        own = scores if filter is None else scores[among]
        if count < len(own):
            least = np.partition(own, len(own) - count)[len(own) - count]
            keep = np.flatnonzero(own >= least)  # may hold more than `count` where scores tie
            among, own = among[keep], own[keep]
            is_all = False
        else:
            is_all = True
        order = np.lexsort((among, -own))[:count]
        chosen = among[order]
        return Found.of(self._rows.take(chosen), self._vectors[chosen], own[order], is_all)

    def _passing(self, filter: str) -> Int[np.ndarray, " M"]:
        rows = self._scan(filter, columns=[], with_row_id=True)
        return np.flatnonzero(np.isin(self._row_ids, _numbers(rows, "_rowid")))

    def _best_of_index(self, query: np.ndarray, count: int, filter: str | None) -> Found:
        nearest = {
            "column": "vector",
            "q": query.astype(np.float32),
            "k": count,
            "metric": "dot",
            "minimum_nprobes": CELLS,
            "refine_factor": REFINE,
        }
        rows = self._scan(filter, columns=list(COLUMNS), nearest=nearest, prefilter=True)
        vectors = vectors_of(rows)
        scores = vectors @ query.astype(np.float32)
        order = np.lexsort((_texts(rows["id"]), -scores))
        is_all = rows.num_rows < count
        kept = rows.select([name for name in COLUMNS if name != "vector"]).take(order)
        return Found.of(kept, vectors[order], scores[order], is_all)

    def _scan(self, filter: str | None, **options: object) -> pa.Table:
        checked = where(filter) if filter is not None else None
        try:
            scanner = self._dataset.scanner(
                filter=checked, disable_scoring_autoprojection=True, **options
            )
            return scanner.to_table()
        except (ValueError, OSError) as error:
            if filter is None:
                raise
            raise refused_by_table(filter, error) from error


def build_index(dataset: lance.LanceDataset) -> None:
    """Build the ANN index of the vectors; rows added later are found by scanning them."""
    cells = max(1, dataset.count_rows() // PARTITION)
    dataset.create_index("vector", "IVF_HNSW_SQ", metric="dot", num_partitions=cells, replace=True)


def thumbnails(dataset: lance.LanceDataset, ids: Sequence[str]) -> dict[str, bytes]:
    """Small pictures (JPEG) of moments, by id."""
    if not ids:
        return {}
    listed = ", ".join("'" + one.replace("'", "''") + "'" for one in ids)
    rows = dataset.to_table(columns=["id", "thumbnail"], filter=f"id IN ({listed})")
    return dict(zip(rows["id"].to_pylist(), rows["thumbnail"].to_pylist(), strict=True))


def vectors_of(rows: pa.Table) -> Float[np.ndarray, "N D"]:
    """The column of vectors as one float32 matrix, in memory of its own."""
    width = rows.schema.field("vector").type.list_size
    chunks = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in rows["vector"].chunks]
    flat = np.concatenate(chunks) if chunks else np.empty(0, np.float32)
    return np.ascontiguousarray(flat, np.float32).reshape(-1, width)


def _values(rows: pa.Table, name: str) -> object:
    return rows[name].to_pylist() if name in ("id", "video", "path") else _numbers(rows, name)


def _numbers(rows: pa.Table, name: str) -> np.ndarray:
    return rows[name].to_numpy()


def _texts(column: pa.ChunkedArray) -> np.ndarray:
    return column.to_numpy().astype(str)
