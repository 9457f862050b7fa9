"""What is kept open of a library is what would be found if it were opened anew."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from reeltune.records import Phrase
from reeltune.search.channels.channel import Told
from reeltune.search.holdings import Holdings, info
from reeltune.search.store import table as _table
from reeltune.search.store import texts as _texts
from reeltune.search.store.dataset import Table
from reeltune.search.store.manifest import Choices, Manifest
from reeltune.search.store.newest import Newest, Version
from reeltune.storage.place import Place
from search.moment_tables import DIM, MANIFEST, moments, rows_of, unit

Change = Callable[[Path], None]


def made(folder: Path, manifest: Manifest = MANIFEST) -> Path:
    folder.mkdir()
    manifest.write(folder)
    _table.create(folder, manifest)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made(tmp_path / "library")


def append(folder: Path) -> None:
    count = _table.open_table(folder).count_rows()
    vectors = unit(np.random.default_rng(count), 2, DIM)
    _table.append(folder, [rows_of(moments(f"file{count}", vectors))])


def remove(folder: Path) -> None:
    _table.remove(folder, ["file0"])


def say(folder: Path) -> None:
    told = Told(phrases=[Phrase(start=0, end=1, text="hello")], source="speech")
    one = _texts.Texts(video="file0", channel="said", unit="file0-1", told=told)
    _texts.write(folder, [one], unit(np.random.default_rng(0), 1, _texts.WIDTH))


def choose(folder: Path) -> None:
    _table.keep(folder, Manifest.read(folder).choosing(Choices(exclude=("*.mov",))))


def go_back(folder: Path) -> None:
    _table.restore(folder, 1)


def make_anew(folder: Path) -> None:
    shutil.rmtree(folder)
    made(folder, MANIFEST.model_copy(update={"fingerprint": "g"}))


CHANGES: list[Change] = [append, say, append, choose, remove, say, go_back, make_anew, append]


def opened(folder: Place) -> tuple[object, ...]:
    texts = _texts.open_texts(folder)
    moments = _table.open_table(folder)
    return Manifest.read(folder), moments.version, moments.count_rows(), texts and texts.version


def told(found: Version) -> tuple[object, ...]:
    moments, texts = found.moments, found.texts
    return found.manifest, moments.version, moments.count_rows(), texts and texts.version


def test_each_change_is_seen_and_without_one_nothing_is_opened_again(folder: Path) -> None:
    newest = Newest(folder)
    for change in CHANGES:
        before = newest()
        assert newest() is before
        change(folder)
        assert told(newest()) == opened(folder), change.__name__


def test_what_is_in_a_library_is_counted_again_where_something_was_written(folder: Path) -> None:
    held = Holdings(folder)
    for change in CHANGES:
        before = held.folders()
        assert held.folders() is before
        change(folder)
        assert held.info() == info(folder), change.__name__
        locations = _table.open_table(folder).to_table(columns=["location"], filter="part = 0")
        places = [str(Path(one).parent) for one in locations["location"].to_pylist()]
        assert held.folders() == {place: places.count(place) for place in places}


def test_a_table_to_which_nothing_was_written_is_the_same_object(folder: Path) -> None:
    newest = Newest(folder)
    append(folder)
    before = newest()
    say(folder)
    heard = newest()
    assert heard.moments is before.moments
    assert heard.texts is not None
    append(folder)
    assert newest().texts is heard.texts
    assert newest().moments is not before.moments


def test_what_is_written_while_it_is_opened_shows_the_next_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest, opening = Newest(folder), _table.open_table

    def interrupted(place: Place) -> Table:
        found = opening(place)
        monkeypatch.setattr(_table, "open_table", opening)
        append(folder)
        return found

    monkeypatch.setattr(_table, "open_table", interrupted)
    assert newest().moments.count_rows() == 0
    assert newest().moments.count_rows() == 2
