"""One version of a library's moments, ready to be compared with queries."""

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float, UInt64

from reeltune.errors import LibraryError, NotInLibraryError
from reeltune.models.text_towers.together import HEAVY, Together
from reeltune.search._usual import Usual, usual
from reeltune.search.store._sql import is_one_of
from reeltune.search.store.dataset import Table
from reeltune.search.store.filtered import scan
from reeltune.search.store.found import NUMBERS, Found, Numbers, numbers_of, texts_in
from reeltune.search.store.gain import Gain
from reeltune.search.store.nearest import (
    Groups,
    Index,
    best_rows,
    exact_scores,
    vectors_of,
    width_of,
)
from reeltune.search.store.only import Only
from reeltune.search.store.schema import CAPTION, REST, TAKEN
from reeltune.search.store.vectors import Vectors, vectors_in

ANN_ROWS = 1_000_000  # beyond this, vectors stay on disk behind an index
ANN_LOOK = 4096  # most moments asked of the index for one answer
SOMETIMES = (REST, CAPTION, TAKEN)  # columns that not every table has
COLUMNS = ("id", "video", "path", "location", *NUMBERS, "modified", "vector", *SOMETIMES)
FILTERS = 64  # filters whose outcome is remembered
SAMPLE = 500  # moments that tell how alike moments are in general


class Gallery:
    """All moments of one version of a library's table.

    Up to `ann_rows` moments are compared with every query; the vectors of many are mapped.
    Beyond that the table's index names candidates and their stored vectors give exact scores.
    """

    def __init__(self, dataset: Table, ann_rows: int = ANN_ROWS) -> None:
        self.version: int = dataset.version
        self.uri: str = dataset.uri
        self.count: int = dataset.count_rows()
        self._dataset = dataset
        self._dim: int = width_of(dataset, "vector")
        self._held = _Held.read(dataset) if self.count <= ann_rows else None
        self._index = Index.of(dataset)
        self.usual = _usual(dataset)

    @classmethod
    def read(cls, dataset: Table) -> "Gallery":
        """The gallery of a table of moments."""
        return cls(dataset)

    def moments_of(self, videos: pa.ChunkedArray) -> pa.Table:
        """Id, video, start and end of the moments of these videos, and their place in the table."""
        columns = ["id", "video", "start", "end"]
        rows = self._dataset.to_table(columns=columns) if self._held is None else self._held.rows
        rows = rows.select(columns).append_column("place", pa.array(np.arange(len(rows))))
        return rows.filter(pc.is_in(rows["video"], pc.unique(videos)))

    def moment(self, id: str) -> "Single":
        """One moment; raises NotInLibraryError for an id that is not there."""
        return self.singles([id])[id]

    def singles(self, ids: Sequence[str]) -> dict[str, "Single"]:
        """Moments by their ids; raises NotInLibraryError for one that the table does not have."""
        columns = ["id", "video", "start", "end", "vector"]
        rows = self._rows_of(ids, columns)
        plain, vectors = rows.drop_columns(["vector"]).to_pylist(), vectors_of(rows)
        found = {
            row.pop("id"): Single(**row, vector=v) for row, v in zip(plain, vectors, strict=True)
        }
        if missing := [id for id in ids if id not in found]:
            raise NotInLibraryError(
                f"{self.uri} has no moment #{missing[0]}; take the id of a hit, as --json prints it"
            )
        return found

    def thumbnails(self, ids: Sequence[str]) -> dict[str, bytes]:
        """Small pictures (JPEG) of moments, by id; ids that the table does not have are left
        out."""
        rows = self._rows_of(ids, ["id", "thumbnail"])
        return dict(zip(rows["id"].to_pylist(), rows["thumbnail"].to_pylist(), strict=True))

    def _rows_of(self, ids: Sequence[str], columns: Sequence[str]) -> pa.Table:
        """Columns of moments by their ids, in no order; the table by itself would look for these in
        all its files."""
        if self._held is None:
            wanted = is_one_of("id", ids) if ids else "false"
            return self._dataset.to_table(columns=columns, filter=wanted)
        known = self._held.rows["id"]
        places = np.flatnonzero(pc.is_in(known, pa.array(ids, known.type)))
        return self._dataset.take(places.tolist(), columns)

    def rank(
        self,
        query: Float[np.ndarray, " D"],
        filter: str | None = None,
        gain: Gain | None = None,
        only: Only | None = None,
        scores: Float[np.ndarray, " N"] | None = None,
    ) -> "Ranking":
        """Compare a unit vector with every moment that passes the filter, and add what words do.

        `only` is a part of the library that alone is searched. `scores` are what `scores` has for
        the query, where that is known.

        Raises ConfigError for a filter that is wrong, and LibraryError where the query or the
        stored vectors cannot be compared.
        """
        self._require_comparable(query)
        also = None if only is None else only.sql()
        if self._held is None:
            return _ByIndex(self._dataset, query, (filter, also), self._index, gain)
        if scores is None:
            scores = self._held.scores(query)
        return _ByAll(self._held, query, scores, self._held.passing(filter, also), gain)

    @property
    def on_disk(self) -> bool:
        """Whether moments are read from the table for each query."""
        return self._held is None

    def scores(self, queries: Sequence[Float[np.ndarray, " D"]]) -> Float[np.ndarray, "Q N"] | None:
        """The cosines of Q unit vectors with all moments, which share one look at these; None for
        a gallery on disk. Raises LibraryError for a query that cannot be compared."""
        for query in queries:
            self._require_comparable(query)
        if self._held is None or not queries:
            return None
        return self._held.vectors.scores(np.stack(queries))

    def _require_comparable(self, query: Float[np.ndarray, " D"]) -> None:
        if query.shape != (self._dim,) or not np.isfinite(query).all():
            raise LibraryError(
                f"a query must have {self._dim} finite numbers as the library's moments have, got "
                f"{query.shape[0]} of which {np.isfinite(query).sum()} are finite; "
                f"encode it with the library's own model"
            )


@dataclass(frozen=True)
class Single:
    """One moment, to be compared with others."""

    video: str
    start: float
    end: float
    vector: Float[np.ndarray, " E"]


@runtime_checkable
class Ranking(Protocol):
    """Moments in the order of their score for one query, looked up as far as is needed."""

    size: int  # moments that pass the filter
    limit: int  # most moments that can be asked for
    turns: AbstractContextManager[object]  # to be held while few moments are looked up
    on_disk: bool  # whether each moment costs a read, and `every_video` adds none

    def best(self, count: int, every_video: bool = False) -> Found:
        """The `count` best moments; `every_video` adds the best moment of `count` videos."""
        ...


@dataclass
class _Held:
    """N moments in memory, without their thumbnails; many vectors stay in the table's files."""

    dataset: Table
    vectors: Vectors
    rest: Vectors | None  # None: the model has no more columns than are indexed
    rows: pa.Table
    texts: pa.Table  # those of their columns that answers have
    numbers: Numbers
    row_ids: UInt64[np.ndarray, " N"]
    groups: Groups
    filters: dict[tuple[str | None, str | None], Bool[np.ndarray, " N"]]
    scores: Together[Float[np.ndarray, " D"], Float[np.ndarray, " N"]]  # of one query

    @classmethod
    def read(cls, dataset: Table) -> "_Held":
        wide = [name for name in ("vector", REST) if name in dataset.schema.names]
        narrow = [name for name in _columns(dataset) if name not in wide]
        rows = dataset.to_table(columns=narrow, with_row_id=True, with_row_address=True)
        addresses = rows["_rowaddr"].to_numpy().astype(np.int64)
        vectors = {name: vectors_in(dataset, name, addresses) for name in wide}
        row_ids = rows["_rowid"].to_numpy()
        rows = rows.drop_columns(["_rowid", "_rowaddr"]).combine_chunks()
        numbers = numbers_of(rows)
        return cls(
            dataset=dataset,
            vectors=vectors["vector"],
            rest=vectors.get(REST),
            rows=rows,
            texts=texts_in(rows),
            numbers=numbers,
            row_ids=row_ids,
            groups=Groups.of(numbers["video"]),
            filters={},
            scores=Together(
                lambda queries: vectors["vector"].scores(np.stack(queries)), turns=HEAVY
            ),
        )

    def passing(self, filter: str | None, also: str | None = None) -> Bool[np.ndarray, " N"] | None:
        """Which moments pass, None for all; the answer is remembered, because a version never
        changes."""
        if filter is None and also is None:
            return None
        passing = self.filters.get((filter, also))
        if passing is None:
            rows = scan(self.dataset, filter, also, columns=[], with_row_id=True)
            passing = np.isin(self.row_ids, rows["_rowid"].to_numpy())
            if len(self.filters) >= FILTERS:
                self.filters.clear()  # other threads keep what they have got of it
            self.filters[filter, also] = passing
        return passing


class _ByAll:
    """Compares every moment.

    What follows is work for the interpreter, which runs one thread at a time. Were threads of many
    searches to go on with it at once, each would wait for the others at every call of numpy.
    """

    turns: AbstractContextManager[object] = threading.Lock()
    on_disk = False

    def __init__(
        self,
        held: _Held,
        query: Float[np.ndarray, " D"],
        scores: Float[np.ndarray, " N"],
        passing: Bool[np.ndarray, " N"] | None,
        gain: Gain | None = None,
    ) -> None:
        self._held, self._query, self._gain = held, query, gain
        if len(scores) and not np.isfinite(scores.sum()):
            raise LibraryError(not_finite(held.dataset.uri))
        scores = scores if gain is None else gain.to_all(scores)
        self._scores = scores if passing is None else np.where(passing, scores, -np.inf)
        self.size = self.limit = int((self._scores > -np.inf).sum())

    def best(self, count: int, every_video: bool = False) -> Found:
        rows = best_rows(self._scores, count)
        if every_video:
            rows = np.union1d(rows, self._held.groups.best_rows(self._scores, count))
        vectors = self._held.vectors[rows]
        videos = int(self._held.groups.starts.size)
        return Found.of(
            self._held.texts.take(rows),
            vectors,
            exact_scores(vectors, self._query),
            None if self._held.rest is None else self._held.rest[rows],
            self._gain,
            {name: column[rows] for name, column in self._held.numbers.items()},
            complete=min(count, self.size),
            has_all=count >= self.size,
            has_videos=count >= self.size or (every_video and count >= videos),
        )


class _ByIndex:
    """Compares the moments that the table's index names, and those to which words add most."""

    # What follows is work for the table, which has threads of its own.
    turns: AbstractContextManager[object] = nullcontext()
    on_disk = True

    def __init__(
        self,
        dataset: Table,
        query: Float[np.ndarray, " D"],
        filter: tuple[str | None, str | None],
        index: Index,
        gain: Gain | None = None,
    ) -> None:
        self._dataset, self._query, self._filter, self._gain = dataset, query, filter, gain
        self._index = index
        self._passing: int | None = None
        if filter != (None, None):
            self._passing = scan(dataset, *filter, columns=[], with_row_id=True).num_rows
        self.size = dataset.count_rows() if self._passing is None else self._passing
        if gain is not None and gain.wanted is not None:
            self.size = self._worded(ANN_LOOK, []).num_rows
        self.limit = min(self.size, ANN_LOOK)

    def best(self, count: int, every_video: bool = False) -> Found:
        count = min(count, self.limit)
        rows = self._rows(count)
        vectors = vectors_of(rows)
        return Found.of(
            rows,
            vectors,
            exact_scores(vectors, self._query),
            vectors_of(rows, REST) if REST in rows.column_names else None,
            self._gain,
            complete=rows.num_rows,
            has_all=count >= self.limit,
            has_videos=count >= self.limit,
        )

    def _rows(self, count: int) -> pa.Table:
        columns = _columns(self._dataset)
        if count == 0:
            return self._dataset.schema.empty_table().select(columns)
        if self._gain is not None and self._gain.wanted is not None:
            return self._worded(count, columns)
        nearest = self._index.nearest(count, self._query, self._passing)
        rows = scan(
            self._dataset, *self._filter, columns=columns, nearest=nearest, prefilter=True
        ).select(columns)
        if self._gain is None:
            return rows
        worded = self._worded(count, columns)
        new = pc.invert(pc.is_in(worded["id"], rows["id"]))
        return pa.concat_tables([rows, worded.filter(new)])

    def _worded(self, count: int, columns: list[str]) -> pa.Table:
        """Moments that pass the filter, among those to which words add most."""
        ids = self._gain.best(count) if self._gain else []
        filter, also = self._filter
        each = [f"({one})" for one in (also, is_one_of("id", ids) if ids else "false") if one]
        wanted = " AND ".join(each)
        return scan(self._dataset, filter, wanted, columns=columns, with_row_id=not columns)


def not_finite(uri: str) -> str:
    """The error for a library whose stored vectors cannot be compared."""
    return (
        f"{uri} holds vectors that are not finite; "
        f"find and mend them with: reeltune library verify, reeltune library repair"
    )


def _columns(dataset: Table) -> list[str]:
    return [name for name in COLUMNS if name in dataset.schema.names]


def _usual(dataset: Table) -> Usual:
    """The usual similarities of the moments."""
    rows = dataset.to_table(columns=["baseline_mean", "baseline_std"])
    places = np.linspace(0, max(len(rows) - 1, 0), min(SAMPLE, len(rows))).astype(int)
    some = dataset.take(places.tolist(), columns=["vector", "video"])
    mean, std = (rows[name].to_numpy() for name in rows.column_names)
    return usual(mean, std, vectors_of(some), some["video"].to_numpy())
