"""Every file of the words of a library deleted, emptied and with bytes flipped: damage is found or
makes no difference, costs no moment, and after `repair` the next run has all words again."""

import re
import shutil
from pathlib import Path

import pytest

from reeltune.errors import LibraryError
from reeltune.search.files import relocate
from reeltune.search.ingest import Choice, index
from reeltune.search.library import Library
from reeltune.search.maintain import optimize, verify
from reeltune.search.repair import ASIDE, repair
from reeltune.search.store import table as _table
from reeltune.search.store import texts as _texts
from reeltune.search.store.dataset import Table
from reeltune.search.store.manifest import FILE_NAME, Choices, Manifest
from reeltune.search.store.seal import NAME, manifests
from search.tellers import Beside, run, stored
from search.test_damage import DAMAGES, files_of, moments

Row = tuple[str, str, str]
WANTED = [
    *(("green", "said", "grass"), ("red", "said", "roses"), ("red", "said", "wine")),
    ("two", "said", ""),
]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, library: Path) -> Path:
    """A library whose words are of several commits, the last of which takes rows out."""
    home = Path(shutil.copytree(library.parent, tmp_path_factory.mktemp("told") / "home")) / "lib"
    for name, text in {"red": "roses\nwine", "green": "grass"}.items():
        (home.parent / "videos" / f"{name}.said.txt").write_text(text)
    relocate(home, str(library.parent / "videos"), str(home.parent / "videos"))
    run(home, Beside())
    run(home, Beside("shown"))
    optimize(home)  # joins them, so that a list says which rows of the file are gone
    table = _texts.open_texts(home)
    assert table is not None
    table.delete("channel = 'shown'")
    assert stored(home) == WANTED
    assert len(manifests(table.path)) == 6
    return home


def copied(told: Path, to: Path) -> Path:
    """The library alone, which knows its videos where they are."""
    return Path(shutil.copytree(told, to))


def texts(home: Path) -> list[Row] | str:
    """The rows of the words, or the remedy that reading them names."""
    try:
        return stored(home)
    except LibraryError as error:
        (remedy,) = re.findall(r"mend it with: reeltune library repair", str(error))
        return remedy


@pytest.mark.parametrize("damage", ["deleted", "emptied", "flipped"])
def test_damage_of_words_is_found_or_harmless_and_the_next_run_mends_it(
    damage: str, told: Path, tmp_path: Path
) -> None:
    before = moments(told)
    names = [name for name in files_of(told) if name.startswith(_texts.NAME)]
    assert any("_deletions" in name for name in names)
    for number, name in enumerate(names):
        home = copied(told, tmp_path / str(number))
        DAMAGES[damage](home / name)
        found = verify(home).faults
        assert found or texts(home) == WANTED, name
        repair(home)
        assert verify(home).faults == [], name
        assert moments(home) == before
        run(home, Beside())
        assert stored(home) == WANTED, name
        assert verify(home).faults == [], name


def test_lost_words_are_found_again_by_the_next_run(told: Path, tmp_path: Path) -> None:
    home = copied(told, tmp_path / "library")
    shutil.rmtree(home / _texts.NAME)
    assert (stored(home), list(Library(home).texts()), verify(home).faults) == ([], [], [])
    run(home, Beside())
    assert stored(home) == WANTED
    for name in ("_versions", NAME):
        path = home / _texts.NAME / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert stored(home) == []
    run(home, Beside())
    assert (stored(home), verify(home).faults) == (WANTED, [])


def test_words_that_are_wanted_and_not_there_are_remarked_on(told: Path, tmp_path: Path) -> None:
    home = copied(told, tmp_path / "library")
    shutil.rmtree(home / _texts.NAME)
    _table.keep(home, Manifest.read(home).choosing(Choices(channels=("said",))))
    assert verify(home).remarks == ["texts.lance is not there; the next index run finds all words"]


def test_a_lost_manifest_comes_back_with_the_words_that_are_wanted(
    told: Path, tmp_path: Path
) -> None:
    home = copied(told, tmp_path / "library")
    choices = Choices(("*.gif",), ("said", "shown"), "base")
    _table.keep(home, Manifest.read(home).choosing(choices))
    (home / FILE_NAME).unlink()
    assert repair(home) == [
        "wrote library.json again from the table; it leaves out *.gif and finds words that are "
        "said and shown (--speech base)"
    ]
    assert Manifest.read(home).choices == choices


def test_words_of_no_version_that_can_be_read_are_set_aside(told: Path, tmp_path: Path) -> None:
    home = copied(told, tmp_path / "library")
    for _, file in manifests(home / _texts.NAME):
        file.write_bytes(b"")
    (home / _texts.NAME / NAME).unlink()
    assert "texts.lance is damaged" in " ".join(verify(home).faults)
    with pytest.raises(LibraryError, match="mend it with: reeltune library repair"):
        run(home, Beside())
    done = repair(home)
    assert done == [
        "set aside texts.lance, of which no version can be used; the next index run finds the "
        "words again"
    ]
    assert [path.name.endswith(_texts.NAME) for path in (home / ASIDE).iterdir()] == [True]
    run(home, Beside())
    assert stored(home) == WANTED


def test_an_older_version_of_words_does_without_asking(told: Path, tmp_path: Path) -> None:
    home = copied(told, tmp_path / "library")
    newest = manifests(home / _texts.NAME)[0][1]
    newest.write_bytes(b"")
    (home / _texts.NAME / NAME).unlink()
    (done,) = repair(home)
    assert done == (
        "went back to version 5 of texts.lance with 6 channels of files, the newest that can be "
        "opened; the next index run finds the words again"
    )


def test_columns_of_another_layout_are_set_aside(told: Path, tmp_path: Path) -> None:
    home = copied(told, tmp_path / "library")
    table = _texts.open_texts(home)
    assert table is not None
    rows = table.to_table().drop_columns(["language"])
    shutil.rmtree(home / _texts.NAME)
    Table.create(home / _texts.NAME, rows)
    assert verify(home).faults == [
        "the columns of texts.lance are not those of this schema version"
    ]
    repair(home)
    assert (verify(home).faults, stored(home)) == ([], [])


def test_words_that_were_stored_in_part_or_twice_are_taken_out(told: Path, tmp_path: Path) -> None:
    home = copied(told, tmp_path / "library")
    table = _texts.open_texts(home)
    assert table is not None
    table.append(table.to_table(filter="text = 'grass'"))
    table.delete("text = 'wine'")
    found = verify(home)
    said = sorted(fault.split(" ", 2)[2] for fault in found.faults)
    assert said == ["is there 2 times", "lacks 1 of 2 phrases"]
    assert found.units == []
    assert repair(home) == [
        "took out the words of 2 channels of files, which are at fault; the next index run finds "
        "the words again"
    ]
    run(home, Beside())
    assert (stored(home), verify(home).faults) == (WANTED, [])


def test_a_commit_that_was_not_sealed_is_sealed_by_the_next_run(told: Path, tmp_path: Path) -> None:
    home = copied(told, tmp_path / "library")
    (home / _texts.NAME / NAME).unlink()
    assert verify(home).remarks == [
        "texts.lance is not sealed, so damage of its own files may not show; the next index run "
        "seals it"
    ]
    index(told.parent / "videos", home, Choice())
    assert verify(home).remarks == []
