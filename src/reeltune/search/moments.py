"""Every moment of a library, one after another, with its vector where that is wanted."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int

from reeltune.records import Moment
from reeltune.search.store.dataset import Table
from reeltune.search.store.filtered import scan
from reeltune.search.store.nearest import vectors_of
from reeltune.search.store.only import Only
from reeltune.search.store.schema import CAPTION, TAKEN
from reeltune.search.times import as_text

PLAIN = ("id", "path", "location", "start", "end", "duration")
ORDER = [(name, "ascending") for name in ("path", "location", "start", "id")]
AT_ONCE = 1024  # moments that are made into records together


@dataclass(frozen=True, kw_only=True)
class Embedded(Moment):
    """A moment with its vector.

    An inner product of it with vectors of `Library.embed_text` is what a search goes by: the
    cosine.
    """

    vector: Float[np.ndarray, " E"] = field(compare=False, repr=False)  # float32, of length 1


def list_moments(table: Table, where: str | None = None) -> Iterator[Moment]:
    """The moments that pass a filter, or all, in the order of paths and then of time.

    They are those of this version, whatever is written meanwhile. Raises ConfigError, before the
    first one, for a filter that is wrong.
    """
    return _moments(_rows(table, where))


def moments_by_id(table: Table, ids: Iterable[str]) -> dict[str, Moment]:
    """Moments by their ids; those that the table does not have are left out."""
    return {
        moment.id: moment for moment in _moments(_rows(table, None, Only(moments=tuple(ids)).sql()))
    }


def page_of_moments(
    table: Table, where: str | None, also: str | None, start: int, count: int
) -> tuple[list[Moment], int, str]:
    """So many moments from one on, in the order of `list_moments`, how many there are in all, and
    a text that is another one where these are others; those that pass a filter of ours `also`, if
    one is given."""
    rows = _rows(table, where, also)
    version = blake2b("".join(rows["id"].to_pylist()).encode(), digest_size=16).hexdigest()
    return [*_moments(rows.slice(start, count))], len(rows), version


def embedded_moments(table: Table, where: str | None = None) -> Iterator[Embedded]:
    """Moments as by `list_moments`, with their vectors, some of which are read at a time."""
    rows = _rows(table, where)
    return _embedded(table, rows, _places(table, rows))


def _rows(table: Table, where: str | None, also: str | None = None) -> pa.Table:
    wanted = (*PLAIN, "video", "modified", TAKEN, CAPTION)
    columns = [name for name in wanted if name in table.schema.names]
    return scan(table, where, also, columns=columns, with_row_id=True).sort_by(ORDER)


def _moments(rows: pa.Table) -> Iterator[Moment]:
    for at in range(0, len(rows), AT_ONCE):
        for row in rows.slice(at, AT_ONCE).to_pylist():
            yield Moment(
                **{name: row[name] for name in PLAIN},
                file=row["video"],
                caption=row.get(CAPTION),
                date=as_text(row.get(TAKEN) or row["modified"]),
            )


def _embedded(table: Table, rows: pa.Table, places: Int[np.ndarray, " N"]) -> Iterator[Embedded]:
    moments = _moments(rows)
    for at in range(0, len(rows), AT_ONCE):
        taken = table.take(places[at : at + AT_ONCE].tolist(), columns=["vector"])
        for vector, moment in zip(vectors_of(taken), moments, strict=False):
            yield Embedded(**vars(moment), vector=vector)


def _places(table: Table, rows: pa.Table) -> Int[np.ndarray, " N"]:
    """Where in the table rows are, by which they can be taken from it."""
    every = table.to_table(columns=[], with_row_id=True)["_rowid"].to_numpy()
    order = np.argsort(every)
    return order[np.searchsorted(every[order], rows["_rowid"].to_numpy())]
