"""Libraries and videos in an object store: a real S3 server on the loopback interface."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest
from typer.testing import CliRunner

import reeltune
from media.own_videos import write_videos
from reeltune.cli.app import app
from reeltune.errors import ConfigError, DataError, LibraryError, StoreError
from reeltune.search.files import relocate
from reeltune.search.holdings import info
from reeltune.search.repair import repair
from reeltune.search.store.changes import undo
from reeltune.search.store.lock import OWNER, sole_writer
from reeltune.search.store.table import open_table, path_of
from reeltune.search.watching import Watcher
from reeltune.storage.lease import HeldError, lease, require_held
from reeltune.storage.object_path import ObjectPath
from reeltune.storage.place import move, place, remove_tree
from search.s3_server import s3_server, upload

HOLD = """
import sys
from reeltune.search.watching import Watcher
from reeltune.storage.lease import lease
from reeltune.storage.object_path import ObjectPath
owner = {"process": 7, "host": "elsewhere", "since": "yesterday"}
with lease(ObjectPath.of(sys.argv[1]), owner, seconds=2.0):
    print("held", flush=True)
    sys.stdin.read()
"""
WHEN = ("indexed", "checksum")  # columns that tell when a row was made


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_videos(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def stored(bucket: str, clips: Path, model: str) -> reeltune.Library:
    """A library in the bucket that no test changes for good."""
    made = reeltune.Library.create(f"{bucket}/holidays", model)
    assert len(made.index(clips).indexed) == 3
    return made


def rows_of(library: reeltune.Library) -> list[dict[str, Any]]:
    rows = open_table(library.folder).to_table().to_pylist()
    return sorted(
        ({k: v for k, v in row.items() if k not in WHEN} for row in rows),
        key=lambda row: row["id"],
    )


def test_a_library_in_a_store_has_the_rows_of_one_in_a_folder(
    stored: reeltune.Library, clips: Path, model: str, tmp_path: Path
) -> None:
    local = reeltune.Library.create(tmp_path / "library", model)
    local.index(clips)
    assert rows_of(stored) == rows_of(local)
    found, wanted = (one.search("a red thing", k=3) for one in (stored, local))
    assert [hit.id for hit in found] == [hit.id for hit in wanted]
    assert not stored.verify().faults
    assert info(stored.folder)["library_bytes"] > 1000
    assert len(stored.index(clips).unchanged) == 3
    log, _ = (stored.folder / "log.txt").read()
    assert log.count(b" indexed '") == 3
    assert log.endswith(b"done: 0 indexed, 3 unchanged, 0 failed\n")


def test_changes_can_be_taken_back_and_damage_is_mended_in_a_store(
    stored: reeltune.Library, clips: Path
) -> None:
    before = rows_of(stored)
    assert stored.remove(clips / "red.mp4") == [str(clips / "red.mp4")]
    undo(stored.folder)
    assert rows_of(stored) == before
    (stored.folder / "library.json").write(b"{")
    with pytest.raises(LibraryError, match=r"damaged .* library repair s3://films/holidays"):
        reeltune.Library(str(stored.folder))
    assert "wrote library.json again" in repair(stored.folder)[0]
    newest = max(path_of(stored.folder).rglob("*.manifest"), key=lambda one: one.stat().st_mtime_ns)
    assert isinstance(newest, ObjectPath)
    assert rows_of(stored) == before
    assert any((stored.folder / "set_aside").rglob("*library.json"))


def test_commands_take_the_url_of_a_library(stored: reeltune.Library, clips: Path) -> None:
    url = str(stored.folder)
    for command in (
        ["index", str(clips), "--library", url],
        ["search", "a red thing", "--library", url],
        ["library", "list", url],
        ["library", "verify", url],
    ):
        done = CliRunner().invoke(app, [*command, "--json"])
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)


def test_the_second_writer_is_told_who_the_first_is(stored: reeltune.Library, clips: Path) -> None:
    with (
        sole_writer(stored.folder),
        pytest.raises(LibraryError, match=r"written by process \d+ on .* since .*take the lock"),
    ):
        stored.index(clips)
    assert stored.index(clips).unchanged  # the lock was given back


def test_the_lock_of_a_killed_owner_is_taken_over_once_it_has_run_out(bucket: str) -> None:
    path = ObjectPath.of(f"{bucket}/killed/{OWNER}")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=PIPE, stdout=PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        time.sleep(2.5)  # longer than it holds, but its owner lives
        with pytest.raises(HeldError, match="elsewhere"), lease(path, {}):
            pass
        other.kill()
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            with lease(path, {"process": 8}) as held:
                assert held.taken_from == {"process": 7, "host": "elsewhere", "since": "yesterday"}
                return
        except HeldError:
            time.sleep(0.3)
    pytest.fail("the lock never ran out")


def test_an_owner_that_lost_its_lock_writes_no_more(bucket: str) -> None:
    path = ObjectPath.of(f"{bucket}/lost/{OWNER}")
    with lease(path, {"process": 1}, seconds=1.0):
        require_held(path.parent / "moments.lance")
        path.write(b"{}")  # as another owner would
        time.sleep(0.8)
        with pytest.raises(LibraryError, match="could not be renewed in time"):
            require_held(path.parent / "moments.lance")
        require_held(ObjectPath.of(f"{bucket}/elsewhere"))


def test_objects_are_written_on_a_condition_and_folders_are_their_names(bucket: str) -> None:
    folder = ObjectPath.of(f"{bucket}/some/")
    one = folder / "a.txt"
    first = one.write(b"1", "create")
    assert first is not None
    assert one.write(b"2", "create") is None
    second = one.write(b"2", first)
    assert second is not None
    assert one.write(b"3", first) is None
    assert one.read()[0] == b"2"
    with pytest.raises(ValueError, match="more than 0 bytes"):
        one.read(0)
    (folder / "inner" / "b.txt").write(b"b")
    assert [path.name for path in folder.glob("*")] == ["inner", "a.txt"]
    assert [path.key for path in folder.rglob("*.txt")] == ["some/a.txt", "some/inner/b.txt"]
    move(folder, place(f"{bucket}/other"))
    assert not folder.exists()
    other = ObjectPath.of(f"{bucket}/other")
    assert [path.key for path in other.below()] == ["other/a.txt", "other/inner/b.txt"]
    assert b"".join((other / "a.txt").pieces(1)) == b"2"
    remove_tree(other)
    assert not other.is_dir()
    with pytest.raises(FileNotFoundError, match="is not there"):
        one.stat()


class Noting:
    """Progress that notes which files were read to recognise them."""

    def __init__(self) -> None:
        self.recognised: set[str] = set()

    def begin(self, files: int, size: int, work: str = "") -> None:
        pass

    def advance(self, path: str, size: int) -> None:
        pass

    def recognise(self, path: str, done: int, size: int) -> None:
        self.recognised.add(path)


@pytest.fixture(scope="module")
def films(bucket: str, clips: Path) -> str:
    """A place in the bucket with three clips, a broken one and what is no video."""
    for path in clips.iterdir():
        upload(path, f"{bucket}/clips/{path.name}")
    for name, content in (("broken.mp4", b"no video"), ("a.txt", b"text"), (".hidden.mp4", b"")):
        ObjectPath.of(f"{bucket}/clips/{name}").write(content)
    return f"{bucket}/clips"


@pytest.fixture(scope="module")
def indexed(films: str, model: str, tmp_path_factory: pytest.TempPathFactory) -> reeltune.Library:
    made = reeltune.Library.create(tmp_path_factory.mktemp("films") / "library", model)
    report = made.index(films)
    assert {one.path: one.reason[:4] for one in report.failed} == {f"{films}/broken.mp4": "text"}
    assert {one.reason: one.count for one in report.passed_over} == {".txt": 1, "hidden": 1}
    return made


def test_videos_in_a_store_are_those_of_a_folder_and_are_fetched_once(
    indexed: reeltune.Library, films: str, clips: Path, model: str, tmp_path: Path
) -> None:
    local = reeltune.Library.create(tmp_path / "library", model)
    local.index(clips)
    here, there = ({one["id"]: one for one in rows_of(library)} for library in (indexed, local))
    assert here.keys() == there.keys()
    assert all(here[id]["vector"] == there[id]["vector"] for id in here)
    assert {one.location for one in indexed.search("red", k=9)} == {
        f"{films}/{path.name}" for path in clips.iterdir()
    }
    noting = Noting()
    assert len(indexed.index(films, progress=noting).unchanged) == 3
    assert noting.recognised <= {f"{films}/broken.mp4"}
    assert not indexed.verify().remarks


def test_objects_that_move_change_or_go_are_followed(
    indexed: reeltune.Library, films: str, clips: Path
) -> None:
    move(place(f"{films}/red.mp4"), place(f"{films}/later/red.mp4"))
    report = indexed.index(films, exclude="broken.mp4")
    assert (report.moved, report.failed) == ([f"{films}/later/red.mp4"], [])
    upload(clips / "green.mp4", f"{films}/two.mp4")
    time.sleep(1.1)  # times of objects are whole seconds
    upload(clips / "two.mp4", f"{films}/two.mp4")
    place(f"{films}/green.mp4").unlink()
    report = indexed.index(films, prune="gone")
    assert report.removed == [f"{films}/green.mp4"]
    assert sorted(file.path for file in indexed.files()) == [
        f"{films}/later/red.mp4",
        f"{films}/two.mp4",
    ]
    move(place(f"{films}/later/red.mp4"), place(f"{films}/red.mp4"))
    upload(clips / "green.mp4", f"{films}/green.mp4")
    assert indexed.index(films).exit_code == 0


def test_hits_in_a_store_are_cut_out_and_what_cannot_be_done_is_said(
    indexed: reeltune.Library, films: str, tmp_path: Path
) -> None:
    def run(*words: str) -> Any:
        return CliRunner().invoke(app, [*words])

    assert run("search", "red", "--library", str(indexed.folder)).exit_code == 0
    done = run("cut", "1", "-o", str(tmp_path / "clip.mp4"))
    assert done.exit_code == 0, done.output
    assert (tmp_path / "clip.mp4").stat().st_size > 500
    moments = [*indexed.moments()]
    saved = indexed.save_clips(moments, tmp_path / "clips.zip")
    assert ([one.id for one in saved.clips], saved.left_out) == ([one.id for one in moments], [])
    refused = run("play", "1")
    assert refused.exit_code == 1
    said = " ".join(refused.output.split())
    assert "is in an object store, where no player can begin at a moment; cut it out" in said
    assert "reeltune cut 1 -o clip.mp4" in said
    with pytest.raises(ConfigError, match="cannot be told to have moved; index the new place"):
        relocate(indexed.folder, films, "elsewhere")
    with pytest.raises(ConfigError, match="gives no notice of changes; run reeltune index"):
        Watcher(indexed, films, print).run()
    with pytest.raises(DataError, match=r"s3://films/none is not there; give a video"):
        indexed.index("s3://films/none")


def test_what_cannot_be_a_library_in_a_store_is_said(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for url in ("ftp://host/library", "s3://", "s3://films/../x", "s3://films//x"):
        with pytest.raises(ConfigError, match="names no place in an object store"):
            place(url)
    with pytest.raises(LibraryError, match="s3://films/none is no library"):
        reeltune.Library(f"{bucket}/none")
    with pytest.raises(StoreError, match="s3://nothing-here is not there; make the bucket"):
        reeltune.Library.create("s3://nothing-here/library")
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    with pytest.raises(StoreError, match=r"is not encrypted.*AWS_ALLOW_HTTP=true"):
        reeltune.Library(f"{bucket}/holidays")
