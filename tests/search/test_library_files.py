"""Files of a library: listed, taken out, brought back, and found again in another folder."""

import json
import os
import shlex
import shutil
import time
import unicodedata
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reeltune.cli.app import app
from reeltune.errors import ConfigError, LibraryError
from reeltune.search.files import Stored, files_at, list_files, relocate, remove
from reeltune.search.ingest import Choice, index
from reeltune.search.library import Library
from reeltune.search.maintain import optimize, verify
from reeltune.search.store import changes
from reeltune.search.store import table as _table
from reeltune.search.store.changes import undo
from search.made_once import MadeOnce

FORMS = ("NFC", "NFD")  # of Unicode


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, model: str) -> MadeOnce:
    """A library of three clips, beside them."""
    return MadeOnce(
        tmp_path_factory.mktemp("made"),
        lambda videos: index([str(videos)], videos.parent / "library", Choice(model=model)),
    )


@pytest.fixture
def videos(made: MadeOnce) -> Path:
    return made.anew()


@pytest.fixture
def home(videos: Path) -> Path:
    return videos.parent / "library"


def names(home: Path) -> list[str]:
    assert verify(home).faults == []
    return [Path(file.path).name for file in list_files(home)]


def test_files_are_listed_with_what_is_known_of_them(home: Path, videos: Path) -> None:
    assert names(home) == ["green.mp4", "red.mp4", "two.mp4"]
    two = list_files(home)[2]
    status = (videos / "two.mp4").stat()
    assert (two.path, two.location) == (str(videos / "two.mp4"),) * 2
    assert (two.moments, two.duration, two.size) == (2, 10.0, status.st_size)
    assert (two.width, two.height, two.taken, two.note) == (64, 48, None, "")
    changed = datetime.fromtimestamp(int(status.st_mtime), UTC)
    assert two.modified == changed.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_removed_files_come_back_by_undo_and_go_again(home: Path, videos: Path) -> None:
    before = _table.open_table(home).to_table(columns=["id", "vector"]).sort_by("id")
    assert remove(home, [str(videos / "red.mp4")]) == [str(videos / "red.mp4")]
    assert names(home) == ["green.mp4", "two.mp4"]
    assert undo(home).what == "remove"
    assert _table.open_table(home).to_table(columns=["id", "vector"]).sort_by("id").equals(before)
    assert undo(home).what == "undo"
    assert names(home) == ["green.mp4", "two.mp4"]


def test_a_folder_stands_for_all_below_it_also_if_it_is_gone(home: Path, videos: Path) -> None:
    shutil.rmtree(videos)
    with pytest.raises(LibraryError, match=r"no file .*elsewhere, .*; see its files: reeltune lib"):
        remove(home, [str(videos), str(videos.parent / "elsewhere")])
    assert len(names(home)) == 3
    assert len(remove(home, [str(videos)])) == 3
    assert names(home) == []


def test_a_command_that_a_message_names_can_be_pasted(home: Path) -> None:
    spaced = home.with_name("it's ours")
    home.rename(spaced)
    for ask in (lambda: remove(spaced, ["/nowhere"]), lambda: Library(spaced / "none")):
        with pytest.raises(LibraryError) as raised:
            ask()
        *_, command = str(raised.value).partition("reeltune ")
        assert Path(shlex.split(command)[-1]) in (spaced, spaced / "none")


def test_undo_takes_all_of_a_run_back_and_a_run_without_changes_does_not_count(
    home: Path, videos: Path, model: str
) -> None:
    (videos / "red.mp4").unlink()
    shutil.copy(videos / "two.mp4", videos / "zz.mp4")
    (videos / "two.mp4").unlink()
    index([str(videos)], home, Choice(prune="all"))
    assert names(home) == ["green.mp4", "zz.mp4"]
    index([str(videos)], home, Choice())
    assert undo(home).what == "index"
    assert names(home) == ["green.mp4", "red.mp4", "two.mp4"]


def test_the_version_before_the_last_change_is_kept_when_a_library_is_tidied(
    home: Path, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_table, "KEEP_OLD", timedelta(0))
    remove(home, [str(videos / "red.mp4")])
    optimize(home)
    optimize(home)
    assert undo(home).what == "remove"
    assert len(names(home)) == 3
    remove(home, [str(videos / "red.mp4")])
    remove(home, [str(videos / "two.mp4")])
    optimize(home)
    undo(home)
    assert names(home) == ["green.mp4", "two.mp4"], "the change before is not kept"


def test_a_version_that_was_current_an_hour_ago_is_kept_for_its_readers(
    home: Path, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although it may be much older than an hour: it has only now been replaced."""
    read = _table.open_table(home)
    time.sleep(0.2)
    monkeypatch.setattr(_table, "KEEP_OLD", timedelta(seconds=0.1))
    (home / changes.FILE_NAME).unlink()
    _table.remove(home, ["none"])
    _table.tidy(home)
    assert read.to_table(columns=["vector"]).num_rows == 4


def test_without_a_known_change_undo_says_so(home: Path, tmp_path: Path) -> None:
    undo(home)
    assert names(home) == []
    (home / changes.FILE_NAME).write_text("[{")
    with pytest.raises(LibraryError, match="has no change that can be taken back; the last one of"):
        undo(home)
    with pytest.raises(LibraryError, match="is no library"):
        undo(tmp_path / "none")


def test_a_version_that_is_gone_cannot_be_brought_back(home: Path, videos: Path) -> None:
    remove(home, [str(videos / "red.mp4")])
    for path in (home / "moments.lance" / "data").iterdir():
        path.rename(path.with_suffix(".away"))
    with pytest.raises(LibraryError, match=r"has no version \d+ any more, .*reeltune index VIDEOS"):
        undo(home)
    for path in (home / "moments.lance" / "data").iterdir():
        path.rename(path.with_suffix(".lance"))
    assert undo(home).what == "remove"


def test_a_library_is_told_that_its_videos_were_moved(home: Path, videos: Path, model: str) -> None:
    new = videos.parent / "new"
    videos.rename(new)
    (new / "red.mp4").unlink()
    done = relocate(home, str(videos), str(new))
    assert [Path(path).name for path in done.moved] == ["green.mp4", "two.mp4"]
    assert done.kept[0].path == str(videos / "red.mp4")
    assert done.kept[0].reason == f"it is not at {new / 'red.mp4'} (No such file or directory)"
    assert done.exit_code == 3
    assert [file.location for file in list_files(home)] == [
        str(new / "green.mp4"),
        str(new / "two.mp4"),
        str(videos / "red.mp4"),
    ]
    assert len(index([str(new)], home, Choice(model=model)).unchanged) == 2
    assert undo(home).what == "relocate"


def test_a_file_of_another_size_is_not_taken_for_the_one_that_was_moved(
    home: Path, videos: Path
) -> None:
    new = videos.parent / "new"
    videos.rename(new)
    (new / "red.mp4").write_bytes(b"short")
    assert "has 5 bytes, and it had " in relocate(home, str(videos), str(new)).kept[0].reason


def test_folders_that_cannot_be_meant_are_refused(home: Path, videos: Path) -> None:
    with pytest.raises(LibraryError, match=r"has no file below /nowhere; give the folder as `loca"):
        relocate(home, "/nowhere", str(videos))
    with pytest.raises(LibraryError, match=r"has 3 files, of which none is below .*; give the"):
        relocate(home, str(videos), str(videos.parent / "wrong"))


def test_the_commands_say_what_they_did(
    home: Path, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(*command: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, ["library", *command])
        assert done.exit_code == code, done.output
        return done.output

    monkeypatch.chdir(videos)
    index(["."], home)  # which gives each a path that opens from here alone
    assert json.loads(said("list", str(home), "--json")) == list(map(asdict, list_files(home)))
    cells = said("list", str(home)).splitlines()[2].split("\t")
    assert cells == ["2", "0:10.0", "5.3 kB", str(videos / "two.mp4")]
    assert said("remove", "red.mp4", "-l", str(home)) == "removed red.mp4\n"
    assert said("undo", str(home)).startswith("took back what remove did at 20")
    assert json.loads(said("undo", str(home), "--json"))["what"] == "undo"
    os.rename(videos, videos.parent / "new")
    told = ["relocate", str(videos), str(videos.parent / "new"), "-l", str(home)]
    assert "2 files are now below" in said(*told)


def test_a_library_without_videos_says_so(home: Path, videos: Path) -> None:
    remove(home, str(videos))
    done = CliRunner().invoke(app, ["library", "list", str(home)])
    assert (done.exit_code, done.stdout) == (0, "")
    assert f"{home} has no videos; bring some in: reeltune index VIDEOS" in done.stderr


def test_prune_may_stand_before_the_paths(home: Path, videos: Path, model: str) -> None:
    (videos / "red.mp4").unlink()
    (videos / "two.mp4").unlink()
    for how, code in (("--prune", 3), ("--prune=all", 0)):
        done = CliRunner().invoke(app, ["index", how, str(videos), "-l", str(home)])
        assert done.exit_code == code, done.output
    assert names(home) == ["green.mp4"]
    done = CliRunner().invoke(app, ["index", "--prune=some", str(videos), "-l", str(home)])
    assert done.exit_code == 2


def test_a_file_whose_name_begins_as_a_home_does_is_one_like_others(
    videos: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (videos / "red.mp4").rename(videos / "~draft.mp4")
    monkeypatch.chdir(videos)
    assert index(["~draft.mp4"], home).moved == ["~draft.mp4"]
    opened = Library(home)
    (hit,) = opened.search("red", inside="~draft.mp4")
    assert opened.search(video="~draft.mp4")
    opened.save_clips(hit, "~clips.zip")
    assert opened.remove("~draft.mp4") == ["~draft.mp4"]


def test_a_relative_path_means_what_is_on_disk_there_and_never_all_files(
    home: Path, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(videos.parent)
    index(["videos"], home)
    away = videos.parent / "away" / "below"
    (away / "videos").mkdir(parents=True)
    monkeypatch.chdir(away)
    opened = Library(home)
    for other in (".", "..", "./", "videos", "../below/videos"):
        for ask in (opened.remove, lambda path: opened.search("red", inside=path)):
            with pytest.raises(LibraryError, match=r"has no file .*, and none below it"):
                ask(other)
    for empty in (opened.remove, lambda path: opened.search("red", inside=path)):
        with pytest.raises(ConfigError, match="a path is empty"):
            empty("")
    assert len(names(home)) == 3
    (away / "videos").rmdir()  # nothing is there now, so the path is the one that was given
    assert len(opened.remove("videos")) == 3


@pytest.mark.parametrize("stored", FORMS)
@pytest.mark.parametrize("typed", FORMS)
def test_a_file_is_found_by_its_name_in_either_form_of_unicode(
    home: Path, videos: Path, stored: str, typed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(videos.parent)
    place = Path("videos", unicodedata.normalize(stored, "été"))
    place.mkdir()
    (videos / "red.mp4").rename(place / unicodedata.normalize(stored, "café.mp4"))
    assert len(index("videos", home).moved) == 1
    folder, opened = Path("videos", unicodedata.normalize(typed, "été")), Library(home)
    file = folder / unicodedata.normalize(typed, "café.mp4")
    for path in (folder, file, folder.absolute(), file.absolute()):
        assert {Path(hit.path).parent for hit in opened.search("red", inside=path)} == {place}
    assert opened.remove(file.absolute()) == [str(next(place.iterdir()))]
    undo(home)
    place.rename("new")
    assert len(relocate(home, str(folder), "new").moved) == 1
    assert opened.remove("new")


def test_a_name_that_two_files_have_in_some_form_of_unicode_is_neither_ones() -> None:
    one, other = (
        Stored(form, f"{folder}/{file}", f"/{folder}/{file}", 1, 1)
        for form in FORMS
        for folder, file in [(unicodedata.normalize(form, "é"), unicodedata.normalize(form, "ü"))]
    )
    for exact in (one, other):
        assert files_at([one, other], exact.location) == [exact]
        assert files_at([one, other], "/", exact.path) == [one, other]
        assert files_at([one, other], "", exact.path) == [exact]
    folder, file = Path(one.location).parent, Path(other.location).name
    assert files_at([one, other], str(folder / file)) == []
    assert files_at([one], str(folder / file)) == [one]
    assert files_at([one, other], "", str(folder / file).lstrip("/")) == []
