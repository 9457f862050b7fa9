"""What Lance takes on trust is sealed: damage of it is found, and put back from copies."""

import hashlib
import json
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from reeltune.errors import LibraryError
from reeltune.media.files import Candidate
from reeltune.search.files import list_files
from reeltune.search.maintain import verify
from reeltune.search.repair import ASIDE, repair
from reeltune.search.store import seal
from reeltune.search.store import table as _table
from reeltune.search.store.dataset import Table
from reeltune.search.store.nearest import build_index
from search.moment_tables import DIM, MANIFEST, moments, rows_of, unit


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Three files of a single moment, of four in one part of the table."""
    rng = np.random.default_rng(0)
    MANIFEST.write(tmp_path)
    _table.create(tmp_path, MANIFEST)
    _table.append(tmp_path, [rows_of(moments(name, unit(rng, 1, DIM))) for name in "abcd"])
    _table.remove(tmp_path, ["b"])
    return tmp_path


def held(library: Path) -> list[str]:
    return _table.open_table(library).to_table(columns=["video"])["video"].to_pylist()


def test_another_row_in_the_list_of_deleted_ones_is_found_and_mended(library: Path) -> None:
    """No row and no file would tell: one that was taken out is back, and another one is gone."""
    (file,) = (library / _table.NAME / "_deletions").iterdir()
    with pa.ipc.open_file(pa.py_buffer(file.read_bytes())) as reader:
        batch = reader.get_batch(0)
    assert batch.column(0).to_pylist() == [1]
    other = pa.record_batch([pa.array([2], pa.uint32())], schema=batch.schema)
    with pa.ipc.new_file(str(file), batch.schema) as writer:
        writer.write(other)
    for told in (_table.open_table, verify, list_files):
        with pytest.raises(
            LibraryError, match=r"_deletions/.* is not as it was written\); mend it"
        ):
            told(library)
    assert repair(library) == [f"put back _deletions/{file.name} of moments.lance from its copy"]
    assert held(library) == ["a", "c", "d"]


def test_any_flipped_byte_of_the_newest_manifest_is_found_and_mended(library: Path) -> None:
    newest = seal.manifests(library / _table.NAME)[0][1]
    content = newest.read_bytes()
    places = range(0, len(content), 150)
    for at in places:
        newest.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(LibraryError, match="mend it with: reeltune library repair"):
            verify(library)
        repair(library)
        assert newest.read_bytes() == content
    assert len(list((library / ASIDE).iterdir())) == len(places)


def test_versions_that_are_gone_are_missed_and_put_back(library: Path) -> None:
    versions = library / _table.NAME / "_versions"
    for _, file in seal.manifests(library / _table.NAME):
        file.unlink()
        with pytest.raises(LibraryError, match=r"its version 3 is gone\); mend it with"):
            _table.open_table(library)
    (versions / "latest_version_hint.json").unlink()
    versions.rmdir()
    repair(library)
    assert held(library) == ["a", "c", "d"]


def test_a_flipped_bit_of_an_index_is_found_and_the_index_is_built_anew(library: Path) -> None:
    build_index(_table.open_table(library))
    assert verify(library).faults == []
    file = max((library / _table.NAME / "_indices").rglob("*.idx"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    name = file.relative_to(library / _table.NAME)
    assert verify(library).faults == [
        f"{name} is not as it was written: bytes have changed on disk"
    ]
    assert repair(library) == ["built the damaged index anew"]
    assert verify(library).faults == []
    assert _table.open_table(library).indices() == ["vector_idx"]


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"[1, 2, 3, 4]", b"\xff", None])
def test_a_seal_that_is_damaged_is_not_believed_and_made_anew(
    content: bytes | None, library: Path
) -> None:
    path = library / _table.NAME / seal.NAME
    before = path.read_bytes()
    path.write_bytes(before.replace(b"[3,", b"[9,") if content is None else content)
    assert (held(library), verify(library).faults) == (["a", "c", "d"], [])
    assert verify(library).remarks[0].startswith("the table is not sealed")
    assert repair(library) == []
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "name", ["../a", "_versions/../../a", "/a", "_versions/a", "_versions/1.manifest/a", "data/a"]
)
def test_a_seal_that_was_made_to_write_elsewhere_is_not_believed(
    name: str, library: Path, tmp_path: Path
) -> None:
    """As in a library that one was sent."""
    path = library / _table.NAME / seal.NAME
    version, hashes, copies, _ = json.loads(path.read_bytes())
    hashes[name] = copies[name] = "QUJD"
    made = [version, hashes, copies]
    forged = hashlib.blake2b(json.dumps(made).encode(), digest_size=16).hexdigest()
    path.write_bytes(json.dumps([*made, forged]).encode())
    assert seal.read(library / _table.NAME) is None
    assert repair(library) == []
    assert not list(tmp_path.rglob("a"))


def test_a_sealed_version_comes_back_although_a_later_one_cannot(library: Path) -> None:
    """As after two power cuts: a commit was cut before its seal, and the one before is damaged."""
    _, file = seal.manifests(library / _table.NAME)[0]
    cut = file.with_name(f"{int(file.stem) - 1}.manifest")
    for damaged in (file, cut):
        damaged.write_bytes(b"LANC")
    with pytest.raises(LibraryError, match="version 3 with 3 files"):
        repair(library)
    assert repair(library, go_back=True)[-1].startswith("went back to version 3 with 3 files")
    assert (held(library), verify(library).faults) == (["a", "c", "d"], [])


def test_whoever_is_killed_between_a_commit_and_its_seal_leaves_a_sound_library(
    library: Path,
) -> None:
    path = library / _table.NAME / seal.NAME
    before = path.read_bytes()
    _table.remove(library, ["c"])
    path.write_bytes(before)
    assert (held(library), verify(library).faults) == (["a", "d"], [])
    assert not _table.open_table(library).is_sealed()
    _table.upgrade(library, MANIFEST)
    assert _table.open_table(library).is_sealed()
    assert held(library) == ["a", "d"]


def test_readers_never_take_a_commit_for_damage(library: Path) -> None:
    def write() -> None:
        for number in range(20):
            _table.place(library, {"a": Candidate(f"{number}", f"/{number}", 1, 1)})

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        assert Table.open(library / _table.NAME).count_rows() == 3
    writer.join()
