"""Repair row by row: damage within a part of a table costs the files that it is in, and no more."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from reeltune.errors import LibraryError
from reeltune.search.files import list_files
from reeltune.search.maintain import verify
from reeltune.search.repair import repair
from reeltune.search.store import table as _table
from search.moment_tables import DIM, MANIFEST, moments, rows_of, unit

FILES, EACH = 60, 50


def make(folder: Path, files: int, moments_each: int) -> Path:
    """A library whose moments are all in one part of its table."""
    rng = np.random.default_rng(0)
    MANIFEST.write(folder)
    _table.create(folder, MANIFEST)
    names = [f"file{number:02d}" for number in range(files)]
    made = [rows_of(moments(name, unit(rng, moments_each, DIM))) for name in names]
    _table.append(folder, made)
    return folder


def change(library: Path, wanted: bytes, other: bytes, before: int = 0) -> None:
    """Write other bytes over some of the data file, or as many bytes before them."""
    (path,) = (library / _table.NAME / "data").iterdir()
    held = path.read_bytes()
    at = held.index(wanted) - before
    path.write_bytes(held[:at] + other + held[at + len(other) :])


def kept(library: Path) -> Counter[str]:
    """How many moments of each file can be read."""
    return Counter(_table.open_table(library).to_table(columns=["video"])["video"].to_pylist())


def test_a_part_that_cannot_be_read_as_a_whole_keeps_most_of_its_files(tmp_path: Path) -> None:
    library = make(tmp_path, FILES, EACH)
    change(library, b"file3025", bytes(4000), before=2000)
    with pytest.raises(LibraryError, match="reeltune library repair"):
        _table.open_table(library).to_table()
    assert len(verify(library).faults) == 1
    damaged, at_fault = repair(library)
    assert damaged.endswith(
        f" of {FILES * EACH} moments, which are damaged; index their videos again"
    )
    assert "files; index it again" in at_fault
    assert set(kept(library).values()) == {EACH}
    assert len(kept(library)) > FILES * 3 // 4
    assert verify(library).faults == []


def test_one_changed_moment_costs_its_file_alone(tmp_path: Path) -> None:
    library = make(tmp_path, FILES, EACH)
    change(library, b"file3025", b"file3026")
    (fault,) = verify(library).faults
    assert fault.startswith("unit file30-")
    assert repair(library) == [
        f"took out 1 of {FILES * EACH} moments, which are damaged; index their videos again",
        f"took out what is at fault, 1 of {FILES} files; index it again",
    ]
    assert kept(library) == {f"file{n:02d}": EACH for n in range(FILES) if n != 30}


def test_a_text_that_is_none_is_damage_wherever_it_is_read(tmp_path: Path) -> None:
    library = make(tmp_path, 3, 2)
    change(library, b"/videos/file01.mp4", b"\xff")
    for read in (list_files, lambda of: _table.open_table(of).to_table()):
        with pytest.raises(LibraryError, match=r"utf-8.*reeltune library repair"):
            read(library)
    assert "utf-8" in verify(library).faults[0]
    repair(library)
    assert verify(library).faults == []


def test_a_count_of_moments_that_makes_no_sense_is_a_fault_like_any_other(tmp_path: Path) -> None:
    """As in rows that an older Reeltune wrote, which have no checksum."""
    library = make(tmp_path, 1, 2)
    rows = rows_of(moments("odd", unit(np.random.default_rng(1), 2, DIM)))
    for counts in ([2**31 - 1] * 2, [-1, -1]):
        column = pa.array(counts, pa.int32())
        place = rows.schema.get_field_index("parts")
        odd = rows.set_column(place, rows.schema.field(place), column)
        _table.open_table(library).append(odd)
        assert any("moments" in fault for fault in verify(library).faults)
        repair(library)
        assert kept(library) == {"file00": 2}
