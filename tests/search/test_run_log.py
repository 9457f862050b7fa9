"""The log of a library says what runs did, stays small, and costs no run."""

import os
from pathlib import Path

import pytest

from reeltune.errors import LibraryError
from reeltune.search import run_log
from reeltune.search.ingest import Choice, index
from reeltune.search.maintain import verify
from reeltune.search.report import Failed, Indexed, Report
from reeltune.search.run_log import LOG_NAME, logged


def said(folder: Path) -> list[str]:
    """Lines without their times."""
    return [line.split(" ", 2)[2] for line in (folder / LOG_NAME).read_text().splitlines()]


def test_runs_are_logged_one_after_the_other(videos: Path, model: str, tmp_path: Path) -> None:
    folder = tmp_path / "library"
    (videos / "bad.mp4").write_bytes(b"this is no video")
    index([str(videos)], folder, Choice(model=model))
    found = said(folder)
    assert found[0] == f"index {str(videos)!r}"
    assert any("two.mp4': 2 moments of 10.0 s" in line for line in found)
    assert any("bad.mp4': " in line and line.endswith("text, not a video") for line in found)
    assert found[-1] == "done: 3 indexed, 0 unchanged, 1 failed"
    index([str(videos)], folder, Choice(model=model))
    assert said(folder)[-1] == "done: 0 indexed, 3 unchanged, 1 failed"
    assert verify(folder).faults == []


def test_a_name_cannot_forge_a_line_or_act_on_a_terminal(tmp_path: Path) -> None:
    report = Report("l", indexed=[Indexed("a\n\x1b[2J\udce9.mp4", 1, 1.0, "odd\nnote")])
    report.failed.append(Failed("b.mp4", "\x9b2Jreason"))
    with logged(tmp_path, ["a\nb"], report):
        pass
    text = (tmp_path / LOG_NAME).read_text()
    assert len(text.splitlines()) == 4
    assert all(c.isprintable() or c == "\n" for c in text)


def test_full_files_are_turned_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_log, "SIZE", 2000)
    for _ in range(100):
        with logged(tmp_path, ["v"], Report("l")):
            pass
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [LOG_NAME, *(f"{LOG_NAME}.{number}" for number in (1, 2, 3))]
    assert all(path.stat().st_size <= 2000 for path in tmp_path.iterdir())


def test_an_error_is_logged_and_a_log_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    with pytest.raises(LibraryError), logged(tmp_path, ["v"], Report("l")):
        raise LibraryError("the disk is full")
    assert said(tmp_path)[-1] == "ended by an error: the disk is full"
    with logged(tmp_path / "gone", ["v"], Report("l")):
        pass


def test_a_named_pipe_in_place_of_the_log_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / LOG_NAME)
    with logged(tmp_path, ["v"], Report("l")):
        pass
    assert (tmp_path / LOG_NAME).is_fifo()
