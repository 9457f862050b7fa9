"""A library that is made anew with another model: whole or not at all, and searched meanwhile."""

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from reeltune.cli.app import app
from reeltune.errors import LibraryError
from reeltune.media.progress import Silent
from reeltune.models.clip import Config
from reeltune.search import reindex as _reindex
from reeltune.search.files import list_files, remove
from reeltune.search.ingest import Choice, index
from reeltune.search.library import Library
from reeltune.search.maintain import optimize, verify
from reeltune.search.reindex import PLACE, reindex
from reeltune.search.repair import repair
from reeltune.search.store import changes
from reeltune.search.store import table as _table
from reeltune.search.store.changes import undo
from reeltune.search.store.manifest import Manifest
from search.made_once import MadeOnce


class Killed(BaseException):
    """What ends a run in its middle."""


def die(*_: object) -> None:
    raise Killed


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, model: str) -> MadeOnce:
    """A library of three clips, beside them."""
    choice = Choice(model=model, exclude=("*.gif",))
    return MadeOnce(
        tmp_path_factory.mktemp("made"),
        lambda videos: index([str(videos)], videos.parent / "library", choice),
    )


@pytest.fixture
def videos(made: MadeOnce) -> Path:
    return made.anew()


@pytest.fixture
def home(videos: Path) -> Path:
    return videos.parent / "library"


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Another model, with vectors of another width."""
    folder = tmp_path_factory.mktemp("models") / "other"
    torch.manual_seed(1)
    Config.tiny().model_copy(update={"dim": 20}).build().save_pretrained(folder)
    return str(folder)


def rows(home: Path) -> list[dict[str, object]]:
    columns = ["id", "path", "start", "end", "vector"]
    return _table.open_table(home).to_table(columns=columns).sort_by("id").to_pylist()


def test_it_equals_a_library_that_was_made_with_the_model(
    home: Path, videos: Path, other: str
) -> None:
    done = reindex(home, other)
    assert (done.files, done.in_use, done.missing, done.exit_code) == (3, True, [], 0)
    assert done.moments == len(rows(home))
    fresh = videos.parent / "fresh"
    index([str(videos)], fresh, Choice(model=other))
    assert rows(home) == rows(fresh)
    assert verify(home).faults == []
    assert Manifest.read(home).exclude == ("*.gif",)
    assert not (home / PLACE).exists()
    assert len(Library(home).search("red", fold=False)) == 4
    again = index([str(videos)], home)
    assert len(again.unchanged) == 3


def test_undo_goes_back_and_forth_until_the_next_change(
    home: Path, videos: Path, other: str, model: str
) -> None:
    before = rows(home)
    reindex(home, other)
    after = rows(home)
    assert undo(home).what == "reindex"
    assert (rows(home), Manifest.read(home).model) == (before, model)
    assert Library(home).search("red")
    assert undo(home).what == "undo"
    assert rows(home) == after
    assert verify(home).faults == []
    optimize(home)  # keeps what undo needs
    assert undo(home).what == "undo"
    assert rows(home) == before
    remove(home, [str(videos / "red.mp4")])
    optimize(home)
    assert len(_table.tables(home)) == 1
    assert undo(home).what == "remove"
    assert rows(home) == before


def test_the_old_one_is_searched_until_the_new_one_is_whole(home: Path, other: str) -> None:
    library, seen = Library(home), []

    class Watching(Silent):
        def advance(self, name: str, amount: int) -> None:
            seen.append(len(library.search("red", fold=False)))

    before = rows(home)
    reindex(home, other, progress=Watching())
    assert seen
    assert set(seen) == {4}, "moments of the old library"
    with pytest.raises(LibraryError, match="was made anew since it was opened"):
        library.search("red")
    assert rows(home) != before


@pytest.mark.parametrize("step", ["_settle_files", "_carry_captions", "_switch"])
def test_what_was_made_before_a_kill_is_not_made_again(
    home: Path, other: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows(home)
    with monkeypatch.context() as patch:
        patch.setattr(_reindex, step, die)
        with pytest.raises(Killed):
            reindex(home, other)
    assert rows(home) == before
    assert verify(home).faults == []
    made = _table.open_table(home / PLACE).to_table(columns=["indexed"]).to_pylist()
    assert reindex(home, other).in_use
    assert _table.open_table(home).to_table(columns=["indexed"]).to_pylist() == made


def test_a_kill_before_the_manifest_is_replaced_leaves_the_old_library(
    home: Path, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows(home)
    remove(home, [list_files(home)[0].path])
    removed = rows(home)
    with monkeypatch.context() as patch:
        patch.setattr(_reindex, "replace_table", die)
        with pytest.raises(Killed):
            reindex(home, other)
    assert len(_table.tables(home)) == 2, "the new table is there, and nothing names it"
    assert (rows(home), verify(home).faults) == (removed, [])
    assert undo(home).what == "remove"
    assert rows(home) == before
    assert reindex(home, other).in_use
    assert verify(home).faults == []
    assert len(_table.tables(home)) == 2, "the old one, for undo, and the new one"


def test_files_that_are_gone_keep_the_library_as_it_is_unless_they_may_be_missing(
    home: Path, videos: Path, other: str
) -> None:
    before = rows(home)
    (videos / "red.mp4").rename(videos.parent / "red.mp4")
    (videos / "green.mp4").write_bytes(b"no video any more")
    done = reindex(home, other)
    assert (done.in_use, done.exit_code, done.files) == (False, 3, 1)
    assert {Path(one.path).name for one in done.missing} == {"red.mp4", "green.mp4"}
    assert rows(home) == before
    (videos.parent / "red.mp4").rename(videos / "red.mp4")
    done = reindex(home, other, drop_missing=True)
    assert (done.in_use, done.files, done.exit_code) == (True, 2, 3)
    assert [Path(one.path).name for one in done.missing] == ["green.mp4"]
    undo(home)
    assert rows(home) == before


def test_nothing_is_done_where_nothing_is_there_or_the_model_is_the_same(
    home: Path, videos: Path, other: str, model: str
) -> None:
    with pytest.raises(LibraryError, match=f"has the model {model} already; give another by"):
        reindex(home, model)
    videos.rename(videos.parent / "away")
    with pytest.raises(LibraryError, match=r"none of the 3 files of .* is on disk now"):
        reindex(home, other)


def test_another_model_begins_anew(home: Path, videos: Path, other: str) -> None:
    (videos / "red.mp4").rename(videos.parent / "red.mp4")
    assert not reindex(home, other).in_use
    (videos.parent / "red.mp4").rename(videos / "red.mp4")
    done = reindex(home, "tiny-clip")
    assert (done.in_use, done.model) == (True, "tiny-clip")
    assert {len(row["vector"]) for row in rows(home)} != {20}


def test_captions_go_along_with_their_moments(home: Path, other: str) -> None:
    ids = [row["id"] for row in _table.uncaptioned(home, "writer")]
    _table.write_captions(home, {id: f"caption {n}" for n, id in enumerate(ids)}, "writer")
    columns = ["path", "start", "caption", "captioned_by"]

    def captions() -> list[tuple[object, ...]]:
        table = _table.open_table(home).to_table(columns=columns)
        return sorted(tuple(row.values()) for row in table.to_pylist())

    before = captions()
    done = reindex(home, other)
    assert (done.captions_lost, captions()) == (0, before)
    assert verify(home).faults == []


def test_a_lost_manifest_is_written_again_from_the_new_table(home: Path, other: str) -> None:
    reindex(home, other)
    kept = Manifest.read(home)
    (home / "library.json").unlink()
    repair(home)
    assert Manifest.read(home) == kept
    assert verify(home).faults == []


@pytest.mark.parametrize("name", ["../moments.lance", "moments.lance/..", "/tmp/moments-2.lance"])
def test_a_manifest_names_no_table_elsewhere(home: Path, name: str) -> None:
    manifest = json.loads((home / "library.json").read_text())
    (home / "library.json").write_text(json.dumps(manifest | {"table": name}))
    with pytest.raises(LibraryError, match="is damaged"):
        Manifest.read(home)


def test_the_command_says_what_it_did(home: Path, videos: Path, other: str) -> None:
    def said(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, ["library", "reindex", str(home), *words])
        assert done.exit_code == code, done.output
        return " ".join(done.output.split())

    (videos / "red.mp4").rename(videos.parent / "red.mp4")
    text = said("--model", other, code=3)
    assert "failed" in text
    assert "and 1 file is missing, so the library is as it was; bring back" in text
    found = json.loads(said("--model", other, "--drop-missing", "--json", code=3))
    assert (found["files"], found["in_use"]) == (2, True)
    assert [Path(one["path"]).name for one in found["missing"]] == ["red.mp4"]
    assert "has the model" in said("--model", other, code=1)
    assert changes.undo(home).what == "reindex"


def test_a_model_whose_weights_have_changed_is_taken_by_its_name(
    videos: Path, tmp_path: Path
) -> None:
    own, home = tmp_path / "own", tmp_path / "library"
    Config.tiny().build().save_pretrained(own)
    index([str(videos)], home, Choice(model=str(own)))
    Config.tiny().build().save_pretrained(own)
    with pytest.raises(
        LibraryError, match=r"of fingerprint .* reeltune library reindex .* --model"
    ):
        Library(home).search("red")
    assert reindex(home, str(own)).in_use
    assert Library(home).search("red")


def test_a_library_that_is_open_goes_on_with_its_new_model(
    home: Path, videos: Path, other: str
) -> None:
    library = Library(home)
    before = [hit.id for hit in library.search("red", fold=False)]
    done = library.reindex(other)
    assert (done.files, done.in_use, library.model.dim) == (3, True, 20)
    assert [hit.id for hit in library.search("red", fold=False)] == [
        hit.id for hit in Library(home).search("red", fold=False)
    ]
    assert len(before) == len(library.search("red", fold=False))
    (videos / "red.mp4").unlink()
    with pytest.raises(LibraryError, match=r"has the model .* already"):
        library.reindex(other)


def test_a_library_keeps_its_model_where_files_are_missing(
    home: Path, videos: Path, model: str, other: str
) -> None:
    library = Library(home)
    (videos / "red.mp4").unlink()
    done = library.reindex(other)
    assert (done.in_use, [failed.path for failed in done.missing]) == (
        False,
        [str(videos / "red.mp4")],
    )
    assert library.model.name == model
    assert library.reindex(other, drop_missing=True).in_use
    assert library.model.name == other
