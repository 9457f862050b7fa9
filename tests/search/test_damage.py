"""Every file below a library's table deleted, cut, emptied, zeroed and with bytes flipped: damage
is found or makes no difference, and nothing that can be read is lost by mending it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from reeltune.errors import LibraryError
from reeltune.search.ingest import Choice, index
from reeltune.search.library import Library
from reeltune.search.maintain import verify
from reeltune.search.repair import ASIDE, repair
from reeltune.search.store import table as _table
from reeltune.search.store.manifest import FILE_NAME
from reeltune.types import Hit


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def flip(path: Path) -> None:
    held = bytearray(path.read_bytes())
    for at in (len(held) // 3, len(held) // 2):
        held[at] ^= 0xFF
    path.write_bytes(held)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "deleted": Path.unlink,
    "cut": cut,
    "emptied": lambda path: path.write_bytes(b""),
    "zeroed": zero,
    "flipped": flip,
}
Rows = dict[str, tuple[object, ...]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, model: str, clip: Callable[..., Path]) -> Path:
    """A folder of three clips and a library of them, in three commits and with a row taken out."""
    home = tmp_path_factory.mktemp("whole")
    for name, colour in (("red", (200, 20, 20)), ("green", (20, 200, 20)), ("blue", (20, 20, 200))):
        clip(home / "videos" / f"{name}.mp4", colour)
        index([str(home / "videos")], home / "library", Choice(model=model))
    extra = clip(home / "extra.mp4", (90, 90, 90))
    index([str(extra)], home / "library")
    content = _table.open_table(home / "library").to_table(columns=["video", "location"])
    gone = [row["video"] for row in content.to_pylist() if row["location"] == str(extra)]
    _table.remove(home / "library", gone)
    extra.unlink()
    return home


def rows(library: Path) -> Rows:
    names = ["id", "unit", "vector", "thumbnail", "dhash", "start", "end"]
    found = _table.open_table(library).to_table(columns=names).to_pylist()
    return {
        row["id"]: (row["unit"], tuple(row["vector"]), *list(row.values())[3:]) for row in found
    }


def readable(library: Path) -> set[str]:
    """Ids in the parts of the table that can be read, of the newest version that opens."""
    found: set[str] = set()
    try:
        parts = _table.open_table(library).get_fragments()
    except LibraryError:
        return found
    for part in parts:
        try:
            found |= set(part.scanner().to_table()["id"].to_pylist())
        except LibraryError:
            continue
    return found


def files_of(library: Path) -> list[str]:
    table = library / _table.NAME
    return sorted(str(path.relative_to(library)) for path in table.rglob("*") if path.is_file())


def told(library: Path) -> tuple[list[str], list[Hit]]:
    """The faults that `verify` finds, or what it raises instead, and the answers to a search."""
    try:
        return verify(library).faults, Library(library).search("red", k=5)
    except LibraryError as error:
        return [str(error)], []


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_can_be_read_is_kept_and_the_rest_is_made_again(
    damage: str, whole: Path, tmp_path: Path
) -> None:
    before = rows(whole / "library")
    for number, name in enumerate([*files_of(whole / "library"), FILE_NAME]):
        home = tmp_path / str(number)
        library = shutil.copytree(whole / "library", home / "library")
        DAMAGES[damage](library / name)
        sound = readable(library)
        faults, answers = told(library)
        assert answers or any("reeltune " in fault for fault in faults), name
        repair(library, go_back=True)
        assert verify(library).faults == [], name
        kept = rows(library)
        assert all(kept[id] == before[id] for id in kept.keys() & before.keys()), name
        if damage != "flipped":  # what can be read may be wrong there, and then goes
            assert len(kept) >= len(sound), name
        index([str(whole)], library, Choice(prune="all"))  # an older version has what was gone
        assert rows(library) == before, name


def test_going_back_is_asked_for_and_says_what_it_costs(whole: Path, tmp_path: Path) -> None:
    library = shutil.copytree(whole / "library", tmp_path / "library")
    newest = sorted((library / _table.NAME / "_versions").glob("*.manifest"))[0]
    newest.write_bytes(b"")
    with pytest.raises(LibraryError, match=r"version \d+ with 4 files; .*repair .* --yes"):
        repair(library)
    assert newest.exists()
    (done,) = repair(library, go_back=True)
    assert done.startswith("went back to version ")
    assert [path.name.endswith(newest.name) for path in (library / ASIDE).iterdir()] == [True]


def test_a_library_of_a_newer_reeltune_is_left_alone(whole: Path, tmp_path: Path) -> None:
    library = shutil.copytree(whole / "library", tmp_path / "library")
    kept = (library / FILE_NAME).read_text().replace('"schema_version": 4', '"schema_version": 99')
    (library / FILE_NAME).write_text(kept)
    with pytest.raises(LibraryError, match=r"has schema version 99.*the Reeltune that wrote it"):
        repair(library)
    assert (library / FILE_NAME).read_text() == kept


@pytest.mark.parametrize("text", [b"\xff\xfe\x00", b"[" * 100_000, b"[1]", b"null", b'{"a": 1}'])
def test_a_manifest_that_is_none_is_written_again(text: bytes, whole: Path, tmp_path: Path) -> None:
    library = shutil.copytree(whole / "library", tmp_path / "library")
    (library / FILE_NAME).write_bytes(text)
    with pytest.raises(LibraryError, match="reeltune"):
        verify(library)
    assert repair(library) == [f"wrote {FILE_NAME} again from the table"]
    assert verify(library).faults == []
    assert [path.read_bytes() for path in (library / ASIDE).iterdir()] == [text]
