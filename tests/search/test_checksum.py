"""Checksums of rows: against a slow version, and through every change of a table."""

import hashlib
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from reeltune.media.files import Candidate
from reeltune.search.store import table as _table
from reeltune.search.store.checksum import checksums, with_checksums
from reeltune.search.store.schema import CAPTIONS, CHECKSUM, TAKEN, TIME
from search.moment_tables import DIM, MANIFEST, moments, rows_of, unit


def slow(rows: pa.Table) -> list[int]:
    """A cell at a time, by the words of the definition."""
    found = []
    for place in range(len(rows)):
        total = 0
        for field in rows.schema:
            value = rows[field.name][place]
            if field.name == CHECKSUM or not value.is_valid:
                continue
            if pa.types.is_fixed_size_list(field.type):
                cell = struct.pack(f"<{len(value)}f", *value.as_py())
            elif pa.types.is_floating(field.type):
                sort = "fi" if field.type == pa.float32() else "dq"
                bits = struct.unpack(f"<{sort[1]}", struct.pack(f"<{sort[0]}", value.as_py()))[0]
                cell = bits.to_bytes(8, "little", signed=True)
            elif pa.types.is_timestamp(field.type):
                cell = value.value.to_bytes(8, "little", signed=True)
            elif pa.types.is_integer(field.type):
                cell = value.as_py().to_bytes(8, "little", signed=True)
            else:
                cell = value.as_py() if isinstance(value.as_py(), bytes) else value.as_py().encode()
            whole = hashlib.blake2b(field.name.encode() + b"\0" + cell, digest_size=8).digest()
            total += int.from_bytes(whole, "little")
        total %= 1 << 64
        found.append(total if total < 1 << 63 else total - (1 << 64))
    return found


@pytest.fixture
def rows() -> pa.Table:
    rng = np.random.default_rng(0)
    return rows_of(*(replace(moments(name, unit(rng, 3, DIM)), note=name) for name in ("a", "b'é")))


def test_it_is_the_sum_over_all_cells(rows: pa.Table) -> None:
    assert checksums(rows).tolist() == slow(rows)
    taken = pa.array([None, 1, -1, 2**60, 0, None], TIME)
    some = rows.set_column(rows.schema.get_field_index(TAKEN), TAKEN, taken)
    assert checksums(some).tolist() == slow(some)
    assert checksums(rows.slice(0, 0)).tolist() == []
    assert checksums(pa.concat_tables([rows.slice(0, 2), rows.slice(2)])).tolist() == slow(rows)


def test_any_other_bit_is_another_checksum(rows: pa.Table) -> None:
    before = checksums(rows)
    for field in rows.schema:
        if field.name in (CHECKSUM, TAKEN):
            continue
        place, column = rows.schema.get_field_index(field.name), rows[field.name].combine_chunks()
        buffers = column.flatten().buffers() if hasattr(column, "flatten") else column.buffers()
        changed = bytearray(buffers[-1])
        changed[0] ^= 1
        new = [*buffers[:-1], pa.py_buffer(bytes(changed))]
        if pa.types.is_fixed_size_list(field.type):
            flat = pa.Array.from_buffers(pa.float32(), len(column) * DIM, new)
            other = pa.FixedSizeListArray.from_arrays(flat, DIM)
        else:
            other = pa.Array.from_buffers(field.type, len(column), new)
        after = checksums(rows.set_column(place, field, other))
        assert (after != before).tolist() == [True] + [False] * 5, field.name


def test_columns_may_stand_in_any_order_and_new_ones_be_null(rows: pa.Table) -> None:
    names = sorted(rows.column_names)
    more = rows.select(names).append_column(CAPTIONS[0], pa.nulls(6, pa.string()))
    assert (checksums(more) == checksums(rows)).all()


def test_checksums_follow_every_change(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    _table.create(tmp_path, MANIFEST)
    files = [rows_of(moments(name, unit(rng, 3, DIM))) for name in ("a", "b")]
    _table.append(tmp_path, files)
    _table.place(tmp_path, {"a": Candidate("x", "/x", 7, 5_000)})
    ids = [row["id"] for row in _table.uncaptioned(tmp_path, "f")]
    _table.write_captions(tmp_path, dict.fromkeys(ids[:4], "it's"), "f")
    _table.remove(tmp_path, ["b"])
    _table.append(tmp_path, [rows_of(moments("b", unit(rng, 2, DIM)))])
    _table.tidy(tmp_path)
    found = _table.open_table(tmp_path).to_table()
    assert found.filter(pa.compute.equal(found["location"], "/x")).num_rows == 3
    assert found[CHECKSUM].to_pylist() == slow(found)


def test_a_row_without_a_checksum_gets_none_by_a_change(tmp_path: Path) -> None:
    _table.create(tmp_path, MANIFEST)
    rows = rows_of(moments("a", unit(np.random.default_rng(0), 3, DIM)))
    assert rows[CHECKSUM].null_count == 3
    _table.open_table(tmp_path).append(rows)
    _table.place(tmp_path, {"a": Candidate("x", "/x", 7, 5_000)})
    found = _table.open_table(tmp_path).to_table()
    assert (found["location"].to_pylist(), found[CHECKSUM].null_count) == (["/x"] * 3, 3)
    assert with_checksums(rows)[CHECKSUM].null_count == 0
