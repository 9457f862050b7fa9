"""A disk that is full, read-only or limited ends a run with one line, and the library is sound."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reeltune.search.ingest import REPORT_NAME, Choice, index
from reeltune.search.maintain import verify
from reeltune.search.store import table as _table
from small_disk import remount, small_disk

LIMITED = """
import resource, sys
from reeltune.cli.app import app
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))
app(sys.argv[1:])
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "200k") as place:
        yield place


def indexed(library: Path, videos: Path, model: str, *start: str) -> str:
    """What a command says that must fail with one line."""
    start = start or ("-m", "reeltune")
    command = [sys.executable, *start, "index", str(videos), "-l", str(library), "--model", model]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    return line


def files(library: Path) -> int:
    assert verify(library).faults == []
    return len(set(_table.open_table(library).to_table(columns=["video"])["video"].to_pylist()))


def test_a_file_that_cannot_grow_ends_the_run_with_one_line_and_a_report(
    videos: Path, exported_model: str, tmp_path: Path
) -> None:
    library = tmp_path / "library"
    index([str(videos / "red.mp4")], library, Choice(model=exported_model))
    said = indexed(library, videos, exported_model, "-c", LIMITED)
    assert "File too large" in said
    report = json.loads((library / REPORT_NAME).read_text())
    assert "File too large" in report["error"]
    assert (report["exit_code"], len(report["unchanged"])) == (1, 1)
    assert files(library) == 1
    index([str(videos)], library, Choice(model=exported_model))
    assert files(library) == 3


def test_a_full_disk_ends_the_run_with_one_line(
    disk: Path, videos: Path, exported_model: str
) -> None:
    library = disk / "library"
    index([str(videos / "red.mp4")], library, Choice(model=exported_model))
    status = os.statvfs(disk)
    for room in (status.f_bavail * status.f_frsize - 8192, 8192):  # some, and then none at all
        with (disk / f"ballast{room}").open("wb") as ballast:
            ballast.write(b"\0" * room)
        assert "No space left on device" in indexed(library, videos, exported_model)
        assert files(library) == 1
    for ballast in disk.glob("ballast*"):
        ballast.unlink()
    index([str(videos)], library, Choice(model=exported_model))
    assert files(library) == 3


def test_a_library_on_a_read_only_disk_is_read_and_not_written(
    disk: Path, videos: Path, exported_model: str
) -> None:
    library = disk / "library"
    index([str(videos / "red.mp4")], library, Choice(model=exported_model))
    remount(disk, "ro")
    assert "Read-only file system" in indexed(library, videos, exported_model)
    assert files(library) == 1
