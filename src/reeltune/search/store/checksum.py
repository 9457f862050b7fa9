"""Checksums of rows: a sum over their cells, so that it can follow a change of some of them.

A row whose other cells were damaged meanwhile keeps a checksum that does not fit, because they are
not read when one cell changes. Null cells add nothing, so a new column changes no checksum.
"""

import hashlib

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Int, UInt64

from reeltune.search.store.schema import CHECKSUM


def with_checksums(rows: pa.Table) -> pa.Table:
    """Rows with their checksums, in a column that they have already."""
    place = rows.schema.get_field_index(CHECKSUM)
    sums = pa.array(checksums(rows))
    return rows.set_column(place, rows.schema.field(place), sums)


def checksums(rows: pa.Table) -> Int[np.ndarray, " N"]:
    """The checksum of each row: the sum, modulo 2^64, of a hash of each cell and its column."""
    return _sums(rows).view(np.int64)


def differing(rows: pa.Table) -> Bool[np.ndarray, " N"]:
    """Which rows are not as they were when their checksum was made; not those without one."""
    if CHECKSUM not in rows.column_names:
        return np.zeros(rows.num_rows, bool)
    stored = rows[CHECKSUM].combine_chunks()
    known = stored.is_valid().to_numpy(zero_copy_only=False)
    return known & (checksums(rows) != stored.fill_null(0).to_numpy())


def followed(rows: pa.Table, changed: pa.Table) -> pa.Array:
    """Checksums of rows once cells have changed: `rows` has the old cells and checksums, and
    `changed` the new cells of the same columns and rows. Null stays null."""
    old = rows[CHECKSUM].combine_chunks()
    known = old.is_valid().to_numpy(zero_copy_only=False)
    before = old.fill_null(0).to_numpy().view(np.uint64)
    after = before - _sums(rows.select(changed.column_names)) + _sums(changed)
    return pa.array(after.view(np.int64), mask=~known)


def _sums(rows: pa.Table) -> UInt64[np.ndarray, " N"]:
    total = np.zeros(rows.num_rows, np.uint64)
    for name in rows.column_names:
        if name != CHECKSUM:
            total += _cells(name.encode(), rows[name].combine_chunks())
    return total


def _cells(name: bytes, column: pa.Array) -> UInt64[np.ndarray, " N"]:
    """A hash of each cell, 0 where it is null; equal cells are hashed once."""
    if isinstance(column, pa.ChunkedArray):  # as a column without a chunk is
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.nulls(0)
    if pa.types.is_null(column.type):
        return np.zeros(len(column), np.uint64)
    if pa.types.is_fixed_size_list(column.type):
        flat = np.ascontiguousarray(column.flatten().to_numpy(zero_copy_only=False))
        cells = [row.tobytes() for row in flat.reshape(-1, column.type.list_size)]
        return np.array([_hash(name, cell) for cell in cells], np.uint64)
    words = _as_stored(column).dictionary_encode()
    distinct = [_hash(name, _bytes(value)) for value in words.dictionary.to_pylist()]
    hashes = np.array([*distinct, 0], np.uint64)
    return hashes[words.indices.fill_null(len(distinct)).to_numpy()]


def _as_stored(column: pa.Array) -> pa.Array:
    """Texts as bytes, and numbers as whole ones of the same bits, so that -0.0 is not 0.0."""
    if pa.types.is_string(column.type):
        return column.cast(pa.binary())
    if pa.types.is_floating(column.type):
        values = column.to_numpy(zero_copy_only=False)
        return pa.array(values.view(f"i{values.itemsize}"))
    return column if pa.types.is_binary(column.type) else column.cast(pa.int64())


def _bytes(value: bytes | int) -> bytes:
    return value if isinstance(value, bytes) else value.to_bytes(8, "little", signed=True)


def _hash(name: bytes, cell: bytes) -> int:
    digest = hashlib.blake2b(name + b"\0" + cell, digest_size=8).digest()
    return int.from_bytes(digest, "little")
