"""Marks of a library in an object store: a real S3 server on the loopback interface."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reeltune import Library
from reeltune.cli.app import app
from reeltune.errors import LibraryError
from reeltune.search.marks import NAME, read_marks
from reeltune.search.store import line_file
from reeltune.search.store.line_object import append_line, read_lines
from reeltune.serve.teaching import folder_of
from reeltune.storage.object_path import ObjectPath
from search.s3_server import s3_server

EACH = 20
WRITER = f"""
import sys
from reeltune.search.marks import write_mark
from reeltune.storage.place import place
for number in range({EACH}):
    at = ("0" * 32, number, number + 1)
    write_mark(place(sys.argv[1]), at, sys.argv[2], "right")
"""


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture
def library(bucket: str, model: str, tmp_path: Path, clip: Callable[..., Path]) -> Library:
    clip(tmp_path / "videos" / "red.mp4", (200, 20, 20))
    made = Library.create(f"{bucket}/{tmp_path.name}", model)
    assert len(made.index(tmp_path / "videos").indexed) == 1
    return made


def test_marks_are_kept_taken_back_and_written_as_captions(
    library: Library, tmp_path: Path
) -> None:
    (moment,) = library.moments()
    right = library.mark(moment.id, "a red thing")
    written = library.mark(moment.id, "nothing but red", "caption")
    assert library.marks() == [right, written]
    assert (right.moment, right.path) == (moment.id, str(tmp_path / "videos" / "red.mp4"))
    assert library.unmark(right.id).id == right.id
    assert library.marks() == [written]
    out = tmp_path / "captions.csv"
    done = CliRunner().invoke(app, ["library", "marks", str(library.folder), "-o", str(out)])
    assert done.exit_code == 0, done.output
    assert "nothing but red" in out.read_text()
    assert not library.verify().faults
    with pytest.raises(LibraryError, match="for libraries in folders alone, and s3://"):
        folder_of(library.folder)


def test_people_who_mark_at_once_lose_no_mark(library: Library) -> None:
    words = ["red", "green", "blue"]
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(library.folder), each])
        for each in words
    ]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    kept = read_marks(library.folder)
    assert kept.bad == 0
    assert {each: sum(one.text == each for one in kept.marks) for each in words} == dict.fromkeys(
        words, EACH
    )


def test_an_object_that_is_full_is_left_as_it_was(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ObjectPath.of(f"{bucket}/full/{NAME}")
    assert read_lines(path) == []
    append_line(path, b"first")
    append_line(path, b"second")
    monkeypatch.setattr(line_file, "MOST", 16)
    with pytest.raises(LibraryError, match="has 13 bytes, and at most 16 are kept"):
        append_line(path, b"third")
    assert read_lines(path) == [b"first", b"second"]
