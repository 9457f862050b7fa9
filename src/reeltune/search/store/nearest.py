"""Nearest vectors to a query: exactly in memory, or through the table's index.

Unit vectors throughout, so the inner product is the cosine.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int, Shaped

from reeltune.search.store.dataset import Table

SLACK = 1e-5  # more than float32 can be wrong by in an inner product of unit vectors
CHUNK = 64  # rows re-scored at a time, which fit the caches of a processor
CELL = 1024  # vectors in a cell of the index, about
SHARE, CELLS = 5, 64  # one in so many cells is looked into, and at least so many
SAMPLE, ROUNDS = 64, 10  # vectors for each cell that the cells are made of, and how often
WIDE = 256  # numbers of a vector, from which on errors of its codes even out
BITS, NARROW_BITS = 3, 5  # that the index keeps of each number: of wide vectors, and of narrow ones
REFINE = 2  # how many times the count of narrow ones is re-scored exactly
METRIC = "l2"  # orders unit vectors as their cosines do
FLAT = 50_000  # filters that pass fewer moments than this are answered without the index


def exact_scores(
    vectors: Float[np.ndarray, "M D"], query: Float[np.ndarray, " D"]
) -> Float[np.ndarray, " M"]:
    """Inner products in float64, the same for equal vectors wherever they stand.

    A BLAS product may differ in the last bit from row to row, which would break ties by chance.
    """
    wide = query.astype(np.float64)
    parts = [
        (vectors[at : at + CHUNK].astype(np.float64) * wide).sum(axis=1)
        for at in range(0, len(vectors), CHUNK)
    ]
    return np.concatenate(parts) if parts else np.empty(0)


def best_rows(scores: Float[np.ndarray, " N"], count: int) -> Int[np.ndarray, " M"]:
    """Rows that may be among the `count` of highest score, ties and near-ties included.

    Rows of score minus infinity are never among them.
    """
    if count >= len(scores):
        return np.flatnonzero(scores > -np.inf)
    place = len(scores) - count
    least = np.partition(scores, place)[place]
    return np.flatnonzero((scores >= least - SLACK) & (scores > -np.inf))


@dataclass(frozen=True)
class Groups:
    """Rows by group, for the best row of every group without a loop over groups."""

    codes: Int[np.ndarray, " N"]  # group of each row, 0 to G - 1, each in use
    order: Int[np.ndarray, " N"]  # rows, group after group
    starts: Int[np.ndarray, " G"]  # where each group begins in `order`

    @classmethod
    def of(cls, keys: Shaped[np.ndarray, " N"]) -> "Groups":
        """Groups of rows whose keys are equal."""
        codes = np.unique(keys, return_inverse=True)[1]
        order = np.argsort(codes, kind="stable")
        return cls(codes, order, np.flatnonzero(np.diff(codes[order], prepend=-1)))

    def best_rows(self, scores: Float[np.ndarray, " N"], count: int) -> Int[np.ndarray, " M"]:
        """Rows that may be the best of their group, for the `count` best groups."""
        if not len(scores):
            return np.empty(0, np.int64)
        best = np.maximum.reduceat(scores[self.order], self.starts)  # (G,)
        wanted = np.zeros(len(best), bool)
        wanted[best_rows(best, count)] = True
        near = scores >= best[self.codes] - SLACK
        return np.flatnonzero(near & wanted[self.codes])


def build_index(dataset: Table) -> None:
    """Build the ANN index of the vectors; rows added later are found by scanning them.

    Beside IVF_HNSW_SQ and IVF_PQ, RaBitQ found as much for text queries, in as little time, and was
    built ten times as fast (see benchmarks/bench_query.py). Cells are made and chosen by distances:
    where they were by inner products, the best ten of a text were spread over four times as many.
    Three bits for each number name the same candidates as five; with one, six in ten of the best
    are found where texts lie far from all pictures, as in CLIP (benchmarks/bench_codes.py).
    """
    cells = max(1, dataset.count_rows() // CELL)
    width = width_of(dataset, "vector")
    if width % 8:  # RaBitQ wants whole bytes
        kind, codes = "IVF_HNSW_SQ", {}
    else:
        kind, codes = "IVF_RQ", {"num_bits": BITS if width >= WIDE else NARROW_BITS}
    dataset.create_index(
        "vector",
        kind,
        metric=METRIC,
        num_partitions=cells,
        sample_rate=SAMPLE,
        max_iters=ROUNDS,
        replace=True,
        **codes,
    )


@dataclass(frozen=True)
class Index:
    """How the ANN index of a table is asked."""

    metric: str
    cells: int  # looked into
    refine: int | None  # times the count that are compared exactly, before the best are named

    @classmethod
    def of(cls, dataset: Table) -> "Index":
        """The index of a table; one of inner products, as older libraries have it, looks into as
        many cells as it needs."""
        cells = dataset.count_rows() // CELL // SHARE
        refine = REFINE if width_of(dataset, "vector") < WIDE else None
        return cls(next(iter(dataset.metrics()), METRIC), max(CELLS, cells), refine)

    def nearest(
        self, count: int, query: Float[np.ndarray, " D"], passing: int | None
    ) -> dict[str, object]:
        """Arguments of a scan for `count` moments that may be nearest, to be scored exactly.

        `passing` is how many moments a filter lets through, None without one. A filter that lets
        few through is answered exactly: a walk through the index would meet too few of them, and
        any other looks into further cells where it must.
        """
        return {
            "column": "vector",
            "q": query.astype(np.float32),
            "k": count,
            "metric": self.metric,
            "minimum_nprobes": self.cells,
            "maximum_nprobes": self.cells if passing is None and self.metric == METRIC else None,
            "refine_factor": self.refine,
            "use_index": passing is None or passing > FLAT,
        }


def width_of(dataset: Table, column: str) -> int:
    """How many numbers the vectors of a column have."""
    return int(dataset.schema.field(column).type.list_size)


def vectors_of(rows: pa.Table, column: str = "vector") -> Float[np.ndarray, "N D"]:
    """A column of vectors as one float32 matrix, in memory of its own."""
    width = rows.schema.field(column).type.list_size
    chunks = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in rows[column].chunks]
    flat = np.concatenate(chunks) if chunks else np.empty(0, np.float32)
    return np.ascontiguousarray(flat, np.float32).reshape(-1, width)
