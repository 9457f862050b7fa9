"""Marks: what is kept of what people say of moments, and what outlives what."""

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from reeltune import Library
from reeltune.cli.app import app
from reeltune.errors import ConfigError, LibraryError, NotInLibraryError
from reeltune.search.files import relocate
from reeltune.search.mark_captions import TURN, captions_of
from reeltune.search.marks import NAME, list_marks, read_marks, remove_mark, write_mark
from reeltune.search.store import line_file
from reeltune.search.store.line_file import append_line, read_lines

Clip = Callable[..., Path]
WRITER = """
import sys
from pathlib import Path
from reeltune.search.marks import write_mark
for number in range(100_000):
    at = ("0" * 32, number, number + 1)
    print(write_mark(Path(sys.argv[1]), at, "red", "right").id, flush=True)
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, model: str, clip: Clip) -> Path:
    """A library of two clips, which is not to be changed."""
    place = tmp_path_factory.mktemp("marks")
    clip(place / "videos" / "red.mp4", (200, 20, 20), seconds=1)
    clip(place / "videos" / "blue.mp4", (20, 20, 200), seconds=1)
    Library.create(place / "lib", model).index(place / "videos")
    return place / "lib"


@pytest.fixture
def own(tmp_path: Path, model: str, clip: Clip) -> Library:
    """A library of two clips."""
    clip(tmp_path / "videos" / "red.mp4", (200, 20, 20), seconds=1)
    clip(tmp_path / "videos" / "blue.mp4", (20, 20, 200), seconds=1)
    library = Library.create(tmp_path / "lib", model)
    library.index(tmp_path / "videos")
    return library


def test_a_mark_says_one_thing_of_words_and_a_moment(own: Library) -> None:
    first, second = own.moments()
    right = own.mark(first.id, " a  red\tsquare ")
    assert (right.text, right.verdict, right.file) == ("a red square", "right", first.file)
    assert (right.start, right.end, right.moment) == (first.start, first.end, first.id)
    assert (right.path, right.location) == (first.path, first.location)
    caption = own.mark(f"#{second.id}", "red and more", "caption")
    wrong = own.mark(first.id, "a red square", "wrong")
    assert wrong.id == right.id
    assert own.marks() == [caption, wrong]
    assert own.unmark(wrong.id) == wrong
    assert Library(own.folder).marks() == [caption]


def test_what_cannot_be_kept_is_said(own: Library) -> None:
    moment = next(own.moments()).id
    for error, said, given_ in [
        (ConfigError, "a mark has no words", (moment, " \u202e\x07 ")),
        (ConfigError, "a mark has 10,000 letters; give at most 1,000", (moment, "x" * 10_000)),
        (ConfigError, "verdict is 'so-so'; give right, wrong, caption", (moment, "a", "so-so")),
        (NotInLibraryError, "has no moment #000", ("0" * 24, "a")),
    ]:
        with pytest.raises(error, match=said):
            own.mark(*given_)
    with pytest.raises(NotInLibraryError, match="has no mark 000"):
        own.unmark("0" * 24)
    assert own.marks() == []


def test_marks_outlive_removal_relocation_and_another_model(
    own: Library, tmp_path: Path, model: str
) -> None:
    first = next(own.moments())
    kept = own.mark(first.id, "blue")
    own.remove(first.path)
    (gone,) = own.marks()
    assert (gone.id, gone.path, gone.location, gone.moment) == (kept.id, None, None, None)
    captions = captions_of(own.folder, read_marks(own.folder))
    assert (captions.rows, captions.without_file) == ([], 1)
    own.index(tmp_path / "videos")
    assert own.marks() == [kept]
    (tmp_path / "videos").rename(tmp_path / "moved")
    relocate(own.folder, str(tmp_path / "videos"), str(tmp_path / "moved"))
    (moved,) = own.marks()
    assert moved.location == str((tmp_path / "moved" / Path(first.path).name).resolve())
    from reeltune.models.clip import Config

    Config.tiny().build().save_pretrained(tmp_path / "other")
    assert own.reindex(str(tmp_path / "other")).in_use
    (again,) = Library(own.folder).marks()
    assert (again.id, again.location) == (moved.id, moved.location)
    assert again.moment in {moment.id for moment in Library(own.folder).moments()}


EVENTS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["right", "wrong", "caption", None])), max_size=8
)


@given(events=EVENTS, cut=st.floats(0, 1))
@settings(max_examples=15)
def test_a_file_that_ends_anywhere_holds_what_was_written_before(
    tmp_path_factory: pytest.TempPathFactory,
    library: Path,
    events: list[tuple[int, str]],
    cut: float,
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    (folder / "library.json").write_bytes((library / "library.json").read_bytes())
    (folder / "moments.lance").symlink_to(library / "moments.lance")
    states = [list_marks(folder)]
    sizes = [0]
    for number, verdict in events:
        at = ("0" * 32, float(number), number + 1.0)
        if verdict is not None:
            write_mark(folder, at, "red", verdict)
        else:
            for mark in (one for one in states[-1] if one.start == number):
                remove_mark(folder, mark.id)
        states.append(list_marks(folder))
        path = folder / NAME
        sizes.append(path.stat().st_size if path.exists() else 0)
    if not sizes[-1]:
        return
    length = int(cut * sizes[-1])
    os.truncate(folder / NAME, length)
    whole = max(place for place, size in enumerate(sizes) if size <= length)
    kept = read_marks(folder)
    assert (list_marks(folder), kept.bad) == (states[whole], 0)
    added = write_mark(folder, ("1" * 32, 0.0, 1.0), "blue", "right")
    assert list_marks(folder) == [*states[whole], added]
    assert read_marks(folder).bad == 0


def test_a_writer_that_is_killed_loses_nothing_that_it_said_was_kept(
    library: Path, tmp_path: Path
) -> None:
    (tmp_path / "library.json").write_bytes((library / "library.json").read_bytes())
    (tmp_path / "moments.lance").symlink_to(library / "moments.lance")
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(20)]
        process.send_signal(signal.SIGKILL)
        said += process.stdout.read().splitlines(keepends=True)
    whole = [line.strip() for line in said if line.endswith("\n")]
    kept = read_marks(tmp_path)
    assert [mark.id for mark in kept.marks][: len(whole)] == whole
    assert kept.bad == 0


def test_lines_of_others_are_counted_and_passed_over(own: Library) -> None:
    moment = next(own.moments()).id
    mark = own.mark(moment, "red")
    with (own.folder / NAME).open("a") as file:
        file.write('{"id": 1}\nno json\n' + "[" * 100_000 + "\n" + '{"half')
    second = own.mark(moment, "crimson")
    kept = read_marks(own.folder)
    assert [one.id for one in kept.marks] == [mark.id, second.id]
    assert kept.bad == 3
    done = CliRunner().invoke(app, ["library", "marks", str(own.folder)])
    assert "3 lines of the marks of" in done.stderr
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["right", "right"]


def test_where_nothing_is_marked_that_is_said_and_nothing_is_tuned_by_it(
    own: Library, tmp_path: Path
) -> None:
    out = tmp_path / "captions.csv"
    for more in ([], ["-o", str(out)]):
        done = CliRunner().invoke(app, ["library", "marks", str(own.folder), *more])
        assert done.exit_code == 0, done.output
        assert f"no moment of {own.folder} is marked; mark some on its page" in done.stderr
        assert "reeltune tune" not in done.stdout


def test_what_the_disk_refuses_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lines"
    append_line(path, b"one")
    monkeypatch.setattr(line_file, "MOST", 6)
    with pytest.raises(LibraryError, match="has 4 bytes, and at most 6 are kept; move it away"):
        append_line(path, b"two")
    append_line(path, b"2")
    assert read_lines(path) == [b"one", b"2"]
    os.mkfifo(tmp_path / "pipe")
    for read_or_write in (
        lambda: append_line(tmp_path / "pipe", b"a"),
        lambda: read_lines(tmp_path),
    ):
        with pytest.raises(LibraryError, match=r"cannot be (read|written) \("):
            read_or_write()


def test_marks_become_captions_with_a_split_that_stays(library: Path, tmp_path: Path) -> None:
    folder = tmp_path / "lib"
    folder.mkdir()
    (folder / "library.json").write_bytes((library / "library.json").read_bytes())
    (folder / "moments.lance").symlink_to(library / "moments.lance")
    moments = [*Library(folder).moments()]
    one, two, *_ = {moment.file: moment for moment in moments}.values()
    write_mark(folder, (one.file, one.start, one.end), "=1+1", "right")
    write_mark(folder, (two.file, two.start, two.end), 'a "red", square', "caption")
    write_mark(folder, (two.file, two.start, two.end), "a dog", "wrong")
    write_mark(folder, ("f" * 32, 0.0, 1.0), "gone", "right")
    out = tmp_path / "captions.csv"
    done = CliRunner().invoke(app, ["library", "marks", str(folder), "-o", str(out)])
    assert done.exit_code == 0, done.output
    assert (
        "2 moments with captions in 2 videos: 1 to learn from, 0 to choose by, 1 to" in done.output
    )
    assert "moments marked wrong for some words: 1" in done.output
    assert "marks left out, since the library has their videos no more: 1" in done.output
    with out.open(newline="") as file:
        rows = [*csv.DictReader(file)]
    assert [(row["caption"], row["split"], row["label"]) for row in rows] == [
        (" =1+1", "train", "right"),
        ('a "red", square', "test", "right"),
        ("a dog", "test", "wrong"),
    ]
    assert [row["path"] for row in rows] == [one.location, two.location, two.location]
    for mark in list_marks(folder)[:1]:
        remove_mark(folder, mark.id)
    write_mark(folder, (one.file, one.start, one.end), "again", "right")
    lines = tmp_path / "captions.jsonl"
    done = CliRunner().invoke(app, ["library", "marks", str(folder), "-o", str(lines), "--json"])
    assert json.loads(done.stdout)["captioned"] == {"train": 1, "val": 0, "test": 1}
    told = [json.loads(line) for line in lines.read_text().splitlines()]
    assert {row["path"]: row["split"] for row in told} == {
        one.location: "train",
        two.location: "test",
    }
    done = CliRunner().invoke(app, ["library", "marks", str(folder), "-o", str(tmp_path / "a.xls")])
    assert "is none of .csv, .jsonl" in done.stderr
    lines.write_text("by hand")
    command = ["library", "marks", str(folder), "-o", str(lines)]
    done = CliRunner().invoke(app, command)
    assert f"{lines} is there already; give another name, or --force to replace it" in done.stderr
    assert lines.read_text() == "by hand"
    assert CliRunner().invoke(app, [*command, "--force"]).exit_code == 0
    assert lines.read_text() != "by hand"
    command[-1] = str(tmp_path / "none" / "captions.csv")
    done = CliRunner().invoke(app, command)
    assert f"there is no folder {tmp_path / 'none'}; make it, or give another" in done.stderr
    assert (TURN.count("train"), TURN.count("val"), TURN.count("test")) == (6, 1, 3)
