"""Every file of a library deleted, cut, emptied, zeroed and with bytes flipped: damage is found or
makes no difference, and nothing that can be read is lost by mending it."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.compute as pc
import pytest

from reeltune.errors import LibraryError
from reeltune.search.ingest import index
from reeltune.search.maintain import verify
from reeltune.search.repair import ASIDE, repair
from reeltune.search.store import table as _table
from reeltune.search.store.dataset import Fragment, Table
from reeltune.search.store.gallery import Gallery
from reeltune.search.store.manifest import FILE_NAME, Manifest
from reeltune.search.store.nearest import build_index, vectors_of
from reeltune.search.store.schema import RIDING
from reeltune.search.store.seal import NAME, manifests


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def flip(path: Path) -> None:
    held = bytearray(path.read_bytes())
    for at in (len(held) // 3, len(held) // 2) if held else ():
        held[at] ^= 0xFF
    path.write_bytes(held)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "deleted": Path.unlink,
    "cut": cut,
    "emptied": lambda path: path.write_bytes(b""),
    "zeroed": zero,
    "flipped": flip,
}
DATA = f"{_table.NAME}/data/"
Rows = dict[str, tuple[object, ...]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, library: Path) -> Path:
    """The library of three clips in three commits, with an index and a list of deleted rows."""
    made = shutil.copytree(library, tmp_path_factory.mktemp("whole") / "library")
    stored = _table.open_table(made).to_table()
    shutil.rmtree(made / _table.NAME)
    _table.create(made, Manifest.read(made))
    videos = stored["video"].unique()
    one, two, three = (stored.filter(pc.equal(stored["video"], video)) for video in videos)
    _table.append(made, [one])
    _table.append(made, [two, three])
    _table.remove(made, [videos[2].as_py()])
    _table.append(made, [three])
    build_index(_table.open_table(made))
    return made


def files_of(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def rows(of: Table | Fragment) -> Rows:
    names = ["id", "unit", "vector", "thumbnail", "dhash", "start", "end"]
    found = of.scanner(columns=names).to_table().to_pylist()
    return {
        row["id"]: (row["unit"], tuple(row["vector"]), *list(row.values())[3:]) for row in found
    }


def moments(library: Path) -> Rows:
    return rows(_table.open_table(library))


def sound(library: Path, before: Rows) -> Rows:
    """Moments, in parts of the table that can be read, of files of which all are as before."""
    found: Rows = {}
    for part in _table.open_table(library).get_fragments():
        try:
            found |= rows(part)
        except LibraryError:
            continue
    hurt = {row[0] for id, row in before.items() if found.get(id) != row}
    return {id: row for id, row in found.items() if id in before and row[0] not in hurt}


def faults(library: Path) -> list[str]:
    """The faults that `verify` finds, or the remedy that it names where it finds out nothing."""
    try:
        return verify(library).faults
    except LibraryError as error:
        return re.findall(f"reeltune library repair {library}", str(error))


def answers(library: Path) -> list[str]:
    """Moments that the index finds, in the order of their likeness to one of them."""
    table = _table.open_table(library)
    query = vectors_of(table.to_table(columns=["vector"], filter="part = 0"))[0]
    return Gallery(table, ann_rows=0).rank(query).best(5).id


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_or_harmless_and_costs_no_more_than_what_was_hurt(
    damage: str, whole: Path, tmp_path: Path
) -> None:
    before, wanted = moments(whole), answers(whole)
    names = files_of(whole)
    kinds = ("data/", "_versions/", "_deletions/", "_indices/", "_transactions/", NAME)
    assert all(any(name.startswith(f"{_table.NAME}/{kind}") for name in names) for kind in kinds)
    for number, name in enumerate(names):
        library = shutil.copytree(whole, tmp_path / str(number))
        DAMAGES[damage](library / name)
        found = faults(library)
        assert found or (moments(library), answers(library)) == (before, wanted), name
        left = sound(library, before) if name.startswith(DATA) else before
        repair(library)
        assert verify(library).faults == [], name
        kept = moments(library)
        assert left.items() <= kept.items() <= before.items(), name
        assert len(answers(library)) == min(5, len(kept)), name


def test_files_that_were_lost_are_made_again(whole: Path, library: Path, tmp_path: Path) -> None:
    before, mended = moments(whole), shutil.copytree(whole, tmp_path / "library")
    file = mended / next(name for name in files_of(mended) if name.startswith(DATA))
    cut(file)
    repair(mended)
    assert [path.read_bytes() for path in (mended / ASIDE).iterdir()] == [file.read_bytes()]
    assert len(moments(mended)) < len(before)
    index([str(library.parent / "videos")], mended)
    assert moments(mended) == before


def test_the_newest_version_is_put_back_from_its_copy(whole: Path, tmp_path: Path) -> None:
    library, before = shutil.copytree(whole, tmp_path / "library"), moments(whole)
    newest = manifests(library / _table.NAME)[0][1]
    newest.write_bytes(b"")
    assert repair(library) == [f"put back _versions/{newest.name} of moments.lance from its copy"]
    assert [path.name.endswith(newest.name) for path in (library / ASIDE).iterdir()] == [True]
    assert (moments(library), repair(library)) == (before, [])


def test_going_back_is_asked_for_and_says_what_it_costs(whole: Path, tmp_path: Path) -> None:
    library = shutil.copytree(whole, tmp_path / "library")
    newest = manifests(library / _table.NAME)[0][1]
    newest.write_bytes(b"")
    (library / _table.NAME / NAME).unlink()
    with pytest.raises(LibraryError, match=r"version \d+ with 3 files; .*repair .* --yes"):
        repair(library)
    assert newest.exists()
    (done,) = repair(library, go_back=True)
    assert done.startswith("went back to version ")
    assert [path.name.endswith(newest.name) for path in (library / ASIDE).iterdir()] == [True]


@pytest.mark.parametrize("where", ["library", "table"])
def test_a_library_of_a_newer_reeltune_is_left_alone(
    where: str, whole: Path, tmp_path: Path
) -> None:
    library = shutil.copytree(whole, tmp_path / "library")
    newer = Manifest.read(library).as_json().replace('"schema_version":5', '"schema_version":99')
    if where == "library":
        (library / FILE_NAME).write_text(newer)
    else:
        _table.open_table(library).write_metadata({RIDING: newer})
        (library / FILE_NAME).unlink()
    files = {name: (library / name).read_bytes() for name in files_of(library)}
    with pytest.raises(LibraryError, match=r"has schema version 99.*the Reeltune that wrote it"):
        repair(library)
    assert {name: (library / name).read_bytes() for name in files_of(library)} == files


@pytest.mark.parametrize("text", [b"\xff\xfe\x00", b"[" * 100_000, b"[1]", b"null", b'{"a": 1}'])
def test_a_manifest_that_is_none_is_written_again(text: bytes, whole: Path, tmp_path: Path) -> None:
    library = shutil.copytree(whole, tmp_path / "library")
    (library / FILE_NAME).write_bytes(text)
    with pytest.raises(LibraryError, match="reeltune"):
        verify(library)
    assert repair(library) == [
        f"wrote {FILE_NAME} again from the table; it leaves out nothing and finds no words"
    ]
    assert verify(library).faults == []
    assert [path.read_bytes() for path in (library / ASIDE).iterdir()] == [text]


def test_a_manifest_that_says_what_the_table_does_not_is_written_again(
    whole: Path, tmp_path: Path
) -> None:
    """One flipped bit, by which every file would seem to be made with other settings."""
    library, before = shutil.copytree(whole, tmp_path / "library"), moments(whole)
    kept = Manifest.read(library)
    kept.model_copy(update={"fingerprint": f"{kept.fingerprint[:-1]}x"}).write(library)
    assert verify(library).faults == [
        f"{FILE_NAME} and the table do not agree on what made the vectors"
    ]
    repair(library)
    assert (Manifest.read(library), moments(library)) == (kept, before)
    assert verify(library).faults == []
