"""Bytes that change on a disk while every file can still be read are found by checksums."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reeltune.search.ingest import Choice, index
from reeltune.search.maintain import verify
from reeltune.search.repair import repair
from reeltune.search.store import table as _table
from search.made_once import MadeOnce

WRITTEN = "is not as it was written: bytes have changed on disk"


def flip_in(library: Path, wanted: bytes) -> None:
    """Change the lowest bits of the first two bytes of what a data file holds."""
    for path in sorted((library / _table.NAME / "data").glob("*.lance")):
        held = bytearray(path.read_bytes())
        if (at := held.find(wanted)) >= 0:
            held[at] ^= 1
            held[at + 1] ^= 1
            path.write_bytes(held)
            return
    pytest.fail("the table does not hold these bytes as they are")


def stored(library: Path, column: str) -> list[dict[str, Any]]:
    names = ["id", "unit", column]
    return _table.open_table(library).to_table(columns=names).sort_by("id").to_pylist()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, model: str) -> MadeOnce:
    """A library of three clips, beside them."""
    return MadeOnce(
        tmp_path_factory.mktemp("made"),
        lambda videos: index([str(videos)], videos.parent / "library", Choice(model=model)),
    )


@pytest.mark.parametrize("column", ["vector", "thumbnail"])
def test_two_flipped_bytes_are_found_taken_out_and_made_again(column: str, made: MadeOnce) -> None:
    """The vector keeps its length and the picture its size, so nothing else tells."""
    videos = made.anew()
    library = videos.parent / "library"
    before = stored(library, column)
    value = _table.open_table(library).to_table(
        columns=["unit", column], filter="path LIKE '%red.mp4'"
    )
    cell = value[column][0]
    flip_in(library, cell.as_py() if column == "thumbnail" else cell.values.to_numpy().tobytes())
    assert stored(library, column) != before, "nothing that is read was changed"
    unit = value["unit"][0].as_py()
    assert verify(library).faults == [f"unit {unit} {WRITTEN}"]
    assert repair(library) == [
        "took out 1 of 4 moments, which are damaged; index their videos again"
    ]
    index([str(videos)], library, Choice())
    assert verify(library).faults == []
    for made_again, one in zip(stored(library, column), before, strict=True):
        assert (made_again["id"], made_again["unit"]) == (one["id"], one["unit"])
        if column == "thumbnail":
            assert made_again[column] == one[column]
        else:  # a batch of other frames rounds its last bits otherwise
            np.testing.assert_allclose(made_again[column], one[column], atol=1e-5)
