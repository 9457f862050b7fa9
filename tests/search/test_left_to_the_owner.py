"""What an owner keeps out of a library, what is still being written, and when videos were taken."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av
import pytest
from typer.testing import CliRunner

from media.numbered_video import Numbered, picture
from reeltune.cli.app import app
from reeltune.errors import ConfigError, DataError, LibraryError
from reeltune.media.decoder import Decoder
from reeltune.media.progress import Silent
from reeltune.search.files import remove
from reeltune.search.ingest import Choice, index
from reeltune.search.maintain import verify
from reeltune.search.repair import repair
from reeltune.search.report import Report
from reeltune.search.store import table as _table
from reeltune.search.store.changes import undo
from reeltune.search.store.manifest import FILE_NAME, Manifest
from search.made_once import MadeOnce

Clip = Callable[..., Path]


def run(videos: Path, model: str, **more: object) -> Report:
    return index([str(videos)], library(videos), Choice(model=model, **more))  # type: ignore[arg-type]


def library(videos: Path) -> Path:
    return videos.parent / "library"


def held(videos: Path) -> set[str]:
    rows = _table.open_table(library(videos)).to_table(columns=["path"]).to_pylist()
    return {Path(str(row["path"])).relative_to(videos).as_posix() for row in rows}


def names(paths: list[str]) -> list[str]:
    return sorted(Path(path).name for path in paths)


def test_what_is_excluded_leaves_the_library_and_stays_out(videos: Path, model: str) -> None:
    (videos / "private").mkdir()
    shutil.move(videos / "two.mp4", videos / "private" / "two.mp4")
    run(videos, model)
    assert held(videos) == {"red.mp4", "green.mp4", "private/two.mp4"}
    report = run(videos, model, exclude=("private/",))
    assert (names(report.removed), report.exit_code) == (["two.mp4"], 0)
    assert held(videos) == {"red.mp4", "green.mp4"}
    assert Manifest.read(library(videos)).exclude == ("private/",)
    assert run(videos, model).removed == []
    run(videos, model, exclude=("red.*",))
    assert held(videos) == {"green.mp4"}
    assert Manifest.read(library(videos)).exclude == ("private/", "red.*")
    report = run(videos, model, exclude=("!private/",))
    assert names([one.path for one in report.indexed]) == ["two.mp4"]
    assert verify(library(videos)).faults == []


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, model: str) -> MadeOnce:
    return MadeOnce(tmp_path_factory.mktemp("made"), lambda videos: run(videos, model))


@pytest.fixture
def indexed(made: MadeOnce) -> Path:
    """Videos of a library that holds them all."""
    return made.anew()


@pytest.fixture
def excluding(indexed: Path, model: str) -> Path:
    """Videos of a library that was told later to leave one out."""
    run(indexed, model, exclude=("two.*",))
    return indexed


def test_a_lost_manifest_comes_back_with_what_was_excluded_later(
    excluding: Path, model: str
) -> None:
    (library(excluding) / FILE_NAME).unlink()
    with pytest.raises(LibraryError, match=r"it has no library.json; .*reeltune library repair"):
        run(excluding, model)
    assert repair(library(excluding)) == [
        "wrote library.json again from the table; it leaves out two.* and finds no words"
    ]
    assert run(excluding, model).indexed == []
    assert held(excluding) == {"red.mp4", "green.mp4"}


def test_undo_takes_back_what_was_excluded_and_brings_it_back(excluding: Path, model: str) -> None:
    undo(library(excluding))
    assert Manifest.read(library(excluding)).exclude == ()
    assert held(excluding) == {"red.mp4", "green.mp4", "two.mp4"}
    undo(library(excluding))
    assert Manifest.read(library(excluding)).exclude == ("two.*",)
    assert held(excluding) == {"red.mp4", "green.mp4"}
    assert verify(library(excluding)).faults == []
    remove(library(excluding), [str(excluding / "red.mp4")])
    undo(library(excluding))
    assert Manifest.read(library(excluding)).exclude == ("two.*",)


def test_a_run_that_is_killed_before_the_table_knows_what_is_excluded_excludes_it(
    indexed: Path, model: str
) -> None:
    manifest = Manifest.read(library(indexed))
    manifest.choosing(manifest.choices._replace(exclude=("two.*",))).write(library(indexed))
    assert verify(library(indexed)).faults == []
    assert names(run(indexed, model).removed) == ["two.mp4"]
    (library(indexed) / FILE_NAME).unlink()
    repair(library(indexed))
    assert Manifest.read(library(indexed)).exclude == ("two.*",)


def test_an_ignore_file_takes_out_what_was_there(indexed: Path, model: str) -> None:
    (indexed / ".reeltuneignore").write_text("*.mp4\n")
    report = run(indexed, model)
    assert (names(report.removed), report.exit_code) == (["green.mp4", "red.mp4", "two.mp4"], 0)
    assert held(indexed) == set()
    with pytest.raises(
        DataError,
        match=r"there is no video in .+ \(4 other files were passed over: 3 excluded, 1 h",
    ):
        index([str(indexed)], indexed.parent / "new", Choice(model=model))


def test_the_copy_of_an_excluded_file_is_stored_from_its_own_place(
    videos: Path, model: str
) -> None:
    (videos / "private").mkdir()
    shutil.move(videos / "red.mp4", videos / "private" / "a.mp4")
    run(videos, model)
    shutil.copy(videos / "private" / "a.mp4", videos / "z.mp4")
    report = run(videos, model, exclude=("private",))
    assert names(report.removed) == ["a.mp4"]
    assert held(videos) == {"z.mp4", "green.mp4", "two.mp4"}


def test_a_file_that_is_named_is_taken_although_it_is_excluded(videos: Path, model: str) -> None:
    run(videos, model, exclude=("red.mp4",))
    named = [str(videos), str(videos / "red.mp4")]
    report = index(named, library(videos), Choice(model=model))
    assert names([one.path for one in report.indexed]) == ["red.mp4"]
    assert names(index(named, library(videos), Choice(model=model)).removed) == []
    assert names(run(videos, model).removed) == ["red.mp4"]


def test_the_command_excludes_takes_all_and_says_what_it_passed_over(
    videos: Path, model: str, clip: Clip
) -> None:
    clip(videos / "@eaDir" / "red.mp4" / "SYNOPHOTO_FILM_M.mp4", (1, 2, 3))
    (videos / "notes.txt").write_text("x")
    asked = ["index", str(videos), "-l", str(library(videos)), "--model", model]
    done = CliRunner().invoke(app, [*asked, "--exclude", "two.*", "--exclude", "*.avi"])
    assert done.exit_code == 0, done.output
    assert "2 other files were passed over: 1 .txt, 1 excluded" in done.output
    assert "1 other folder was passed over: 1 @eaDir" in done.output
    assert held(videos) == {"red.mp4", "green.mp4"}
    done = CliRunner().invoke(app, [*asked, "--all", "--json"])
    assert '"reason": ".txt"' in done.output
    assert "@eaDir/red.mp4/SYNOPHOTO_FILM_M.mp4" in held(videos)
    refused = CliRunner().invoke(app, [*asked, "--exclude", "!"])
    assert isinstance(refused.exception, ConfigError) or refused.exit_code == 1


def test_what_links_lead_to_stays_when_a_later_run_does_not_follow_them(
    videos: Path, model: str
) -> None:
    other = videos.parent / "other"
    other.mkdir()
    shutil.move(videos / "two.mp4", other / "two.mp4")
    (videos / "linked.mp4").symlink_to(other / "two.mp4")
    assert names([one.path for one in run(videos, model).indexed]) == ["green.mp4", "red.mp4"]
    asked = ["index", str(videos), "-l", str(library(videos)), "--model", model]
    done = CliRunner().invoke(app, [*asked, "--follow"])
    assert done.exit_code == 0, done.output
    assert held(videos) == {"red.mp4", "green.mp4", "linked.mp4"}
    report = run(videos, model, prune="gone")
    assert (report.removed, names(report.unchanged)) == ([], ["green.mp4", "red.mp4"])
    assert [one.what for one in report.passed_over] == ["link"]
    (other / "two.mp4").unlink()
    assert run(videos, model, prune="gone").removed == []
    assert held(videos) == {"red.mp4", "green.mp4", "linked.mp4"}
    gone = index([str(other)], library(videos), Choice(model=model, prune="all"))
    assert names(gone.removed) == ["linked.mp4"]


class Writer(Silent):
    """Somebody who goes on writing a file while it is read."""

    def __init__(self, path: Path, at: str) -> None:
        self.path, self.at = path, at

    def _write(self, path: str, at: str) -> None:
        if path == str(self.path) and at == self.at:
            with open(path, "ab") as file:
                file.write(bytes(1000))

    def recognise(self, path: str, done: int, size: int) -> None:
        self._write(path, "hashed")

    def advance(self, path: str, size: int) -> None:
        self._write(path, "decoded")


@pytest.mark.parametrize("at", ["hashed", "decoded"])
def test_a_file_that_is_still_being_written_is_left_for_the_next_run(
    at: str, videos: Path, model: str, numbered: Numbered
) -> None:
    path = numbered(videos / "long.mp4", range(0, 60_000, 100))
    choice = Choice(model=model, sampling="fps 10")
    report = index([str(videos)], library(videos), choice, Writer(path, at))
    assert (report.waiting, report.failed, report.exit_code) == ([str(path)], [], 3)
    assert held(videos) == {"red.mp4", "green.mp4", "two.mp4"}
    report = index([str(videos)], library(videos), choice)
    assert names([one.path for one in report.indexed]) == ["long.mp4"]
    assert (report.waiting, report.exit_code) == ([], 0)


def test_a_recording_without_its_end_is_waited_for_if_it_grows(
    videos: Path, model: str, plain_clip: bytes
) -> None:
    """As a camera writes MP4, whose table of contents comes last: it cannot be read before."""
    path = videos / "recording.mp4"
    path.write_bytes(plain_clip[:40] + bytes(5000))
    report = index([str(videos)], library(videos), Choice(model=model), Writer(path, "hashed"))
    assert (report.waiting, report.failed) == ([str(path)], [])
    report = run(videos, model)
    assert [one.path for one in report.failed] == [str(path)], "nobody writes it any more"
    path.write_bytes(plain_clip)
    assert names([one.path for one in run(videos, model).indexed]) == ["recording.mp4"]


def write_dated(path: Path, **said: str) -> Path:
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata.update(said)
        stream = container.add_stream("h264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


APPLE = "com.apple.quicktime.creationdate"
NOON = datetime(2015, 7, 1, 12, tzinfo=UTC)
SAID = [
    ("a.mp4", {"creation_time": "2015-07-01T12:00:00Z"}, NOON),
    ("a.mkv", {"creation_time": "2015-07-01T12:00:00Z"}, NOON),
    ("a.mov", {"creation_time": "2016-01-01T00:00:00Z", APPLE: "2015-07-01T14:00:00+0200"}, NOON),
    ("a.mov", {APPLE: "yesterday", "creation_time": "2015-07-01T12:00:00Z"}, NOON),
    ("b.mp4", {}, None),
    ("c.mp4", {"creation_time": "1970-01-01T00:00:00Z"}, None),
    ("d.mkv", {"creation_time": "2999-01-01T00:00:00Z"}, None),
]


@pytest.mark.parametrize(("name", "said", "taken"), SAID)
def test_the_container_says_when_a_video_was_taken(
    name: str, said: dict[str, str], taken: datetime | None, decoder: Decoder, tmp_path: Path
) -> None:
    with decoder.open(write_dated(tmp_path / name, **said)) as reading:
        found = reading.info.taken
    assert found == (taken and int(taken.timestamp()) * 1_000_000)


def test_the_library_keeps_when_a_video_was_taken(videos: Path, model: str) -> None:
    write_dated(videos / "old.mp4", creation_time="2015-07-01T12:00:00.5Z")
    run(videos, model)
    rows = _table.open_table(library(videos)).to_table(columns=["path", "taken"]).to_pylist()
    taken = {Path(row["path"]).name: row["taken"] for row in rows}
    assert taken == {
        "old.mp4": NOON.replace(microsecond=500_000),
        **dict.fromkeys(["red.mp4", "green.mp4", "two.mp4"]),
    }
