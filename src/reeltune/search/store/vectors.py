"""Vectors of all rows of a table: copied into memory, or mapped as they lie in the table's files.

A mapped file costs no time when it is opened, and its pages are those of the system's cache, which
can be given back. Files of a version never change, so a map of them stays right.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from reeltune.batches.in_threads import in_threads
from reeltune.errors import LibraryError
from reeltune.search.store.dataset import Fragment, Table
from reeltune.search.store.nearest import vectors_of, width_of
from reeltune.storage.object_path import ObjectPath

MAPPED_FROM = 256 << 20  # bytes of vectors; fewer are copied, so that a lost disk is an error
FEW = 3  # queries that are multiplied one by one, by rows that stay in a processor's cache
# Multiplications up to which OpenBLAS takes matrices as they are; before larger products it copies
# them, which for a few queries costs three times what the product does. For more, larger pieces are
# better, whose part of the scores still fits into a processor's cache.
SMALL, PIECE = 800_000, 256  # the latter in rows
# Multiplications from which on threads of our own share a product.
SHARE = 8_000_000
FRAGMENT = 32  # bits by which the number of its fragment is shifted in the address of a row
Matrix = Float[np.ndarray, "_ E"]


@dataclass(frozen=True)
class Vectors:
    """N vectors of E numbers, in the order of a table's rows."""

    parts: list[Matrix]  # P rows in all, some of which may have been deleted from the table
    width: int  # E
    places: Int[np.ndarray, " N"]  # of each row among all P

    def __getitem__(self, rows: Int[np.ndarray, " M"]) -> Float[np.ndarray, "M E"]:
        """The vectors of some rows."""
        places, starts = self.places[rows], self.starts
        if len(self.parts) == 1:
            return self.parts[0][places]
        which = np.searchsorted(starts, places, side="right") - 1
        found = np.empty((len(rows), self.width), np.float32)
        for number in np.unique(which):
            here = which == number
            found[here] = self.parts[number][places[here] - starts[number]]
        return found

    def scores(self, queries: Float[np.ndarray, "Q E"]) -> Float[np.ndarray, "Q N"]:
        """Inner products of all vectors with some others; reading the vectors is most of the work,
        so a few queries take little more time than one."""
        asked = queries.astype(np.float32)
        found = np.empty((len(asked), self.starts[-1]), np.float32)
        threads = our_threads() if found.size * self.width >= SHARE else 1
        each = -(-found.shape[1] // threads)
        at, pieces = 0, list[tuple[Matrix, Float[np.ndarray, "Q _"]]]()
        for part in self.parts:
            for start in range(0, len(part), max(each, 1)):
                some = part[start : start + each]
                pieces.append((some, found[:, at : at + len(some)]))
                at += len(some)
        if threads == 1:
            for some, out in pieces:
                _multiply(asked, some, out)
        else:
            for _ in in_threads(lambda piece: _multiply(asked, *piece), pieces, threads):
                pass
        return found if self._is_in_order else found[:, self.places]

    @cached_property
    def starts(self) -> Int[np.ndarray, " _"]:
        """Where each part begins, and the last one ends."""
        return np.cumsum([0, *(len(part) for part in self.parts)])

    @cached_property
    def _is_in_order(self) -> bool:
        """Whether all rows of the parts are those of the table, one after the other."""
        return np.array_equal(self.places, np.arange(self.starts[-1]))


def _multiply(asked: Float[np.ndarray, "Q E"], some: Matrix, out: Float[np.ndarray, "Q _"]) -> None:
    """Write the inner products of some vectors with queries to `out`."""
    step = len(some) if len(asked) == 1 else max(SMALL // max(asked.size, 1), PIECE)
    for start in range(0, len(some), max(step, 1)):
        rows, place = some[start : start + step], out[:, start : start + step]
        if len(asked) > FEW:
            np.matmul(asked, rows.T, out=place)
        else:
            for query, one in zip(asked, place, strict=True):
                np.matmul(rows, query, out=one)


def our_threads() -> int:
    """Threads that share a product: one where BLAS has its own, and else all cores."""
    is_alone = os.environ.get("OPENBLAS_NUM_THREADS") == "1" and "OMP_NUM_THREADS" not in os.environ
    return (os.cpu_count() or 1) if is_alone else 1


def vectors_in(dataset: Table, column: str, addresses: Int[np.ndarray, " N"]) -> Vectors:
    """A column of vectors, given the addresses of all rows in their order: mapped if it is large
    and its files allow that, otherwise copied."""
    size = 4 * len(addresses) * width_of(dataset, column)
    found = mapped(dataset, column, addresses) if size >= MAPPED_FROM else None
    return found or copied(dataset, column)


def copied(dataset: Table, column: str) -> Vectors:
    """A column of vectors in one matrix in memory."""
    count, width = dataset.count_rows(), width_of(dataset, column)
    matrix, at = np.empty((count, width), np.float32), 0
    for batch in dataset.scanner(columns=[column]).to_batches():  # two copies of all never meet
        part = batch.column(column).flatten().to_numpy()
        matrix[at : at + batch.num_rows] = part.reshape(-1, width)
        at += batch.num_rows
    return Vectors([matrix], width, np.arange(count))


def mapped(dataset: Table, column: str, addresses: Int[np.ndarray, " N"]) -> Vectors | None:
    """A column of vectors as it lies in the table's files.

    None where it does not lie there as plain numbers, of which a row of each part is compared, in a
    store of objects, and on Windows, where a map would keep old versions from being
    deleted.
    """
    if os.name == "nt" or isinstance(dataset.path, ObjectPath):
        return None
    width = width_of(dataset, column)
    parts: list[Matrix] = []
    starts: dict[int, int] = {}  # of each fragment among all rows that are mapped
    for fragment in dataset.get_fragments():
        starts[fragment.fragment_id] = sum(map(len, parts))
        try:
            found = list(_parts(dataset, fragment, column, width))
        except (
            LibraryError,
            OSError,
            ValueError,
        ):  # whoever copies the column learns what is wrong
            return None
        if sum(map(len, found)) != fragment.physical_rows:
            return None
        parts.extend(found)
    fragments, offsets = addresses >> FRAGMENT, addresses & ((1 << FRAGMENT) - 1)
    numbers, inverse = np.unique(fragments, return_inverse=True)
    places = np.array([starts[int(number)] for number in numbers], np.int64)[inverse] + offsets
    vectors = Vectors(parts, width, places)
    return vectors if _are_the_same(vectors, dataset, column) else None


def _parts(dataset: Table, fragment: Fragment, column: str, width: int) -> Iterator[Matrix]:
    """The pages of a fragment's vectors, as long as each has the size that plain numbers have."""
    for page in fragment.pages(dataset.field_id(column)):
        ((offset, size), *others) = page.buffers
        if others or size % (4 * width):
            return
        shape = (size // (4 * width), width)
        # As a plain array, of which a piece is had in a tenth of the time.
        yield np.asarray(np.memmap(str(page.path), "<f4", "r", offset=offset, shape=shape))


def _are_the_same(vectors: Vectors, dataset: Table, column: str) -> bool:
    """Whether a row of each part is that of the table, the first one that was not deleted."""
    order = np.argsort(vectors.places, kind="stable")
    nth = np.searchsorted(vectors.places[order], vectors.starts[:-1])
    rows = np.unique(order[nth[nth < len(order)]])
    told = dataset.take(rows.tolist(), columns=[column])
    return bool(np.array_equal(vectors[rows], vectors_of(told, column)))
