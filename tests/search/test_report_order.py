"""A report names files in the order in which they were found, whichever was done first."""

import json
from collections.abc import Callable
from pathlib import Path

from reeltune.search.choice import Choice
from reeltune.search.ingest import REPORT_NAME, index
from reeltune.search.report import Failed, Indexed, Report

Clip = Callable[..., Path]


def test_a_long_video_that_is_done_last_is_named_first(
    tmp_path: Path, clip: Clip, model: str
) -> None:
    videos, home = tmp_path / "videos", tmp_path / "library"
    videos.mkdir()
    clip(videos / "a.mp4", (200, 20, 20), (20, 200, 20), seconds=30.0)
    clip(videos / "b.mp4", (20, 20, 200), seconds=1.0)
    (videos / "a.broken.mp4").write_bytes(b"no video")
    report = index([str(videos)], home, Choice(model=model))
    assert [Path(one.path).name for one in report.indexed] == ["a.mp4", "b.mp4"]
    written = json.loads((home / REPORT_NAME).read_text())
    assert [one["path"] for one in written["indexed"]] == [one.path for one in report.indexed]


def test_files_that_were_not_found_are_named_last() -> None:
    done = [Indexed(path, 1, 1.0) for path in ("b", "c", "a")]
    report = Report(
        "l", indexed=done, removed=["z", "y"], failed=[Failed("x", ""), Failed("c", "")]
    )
    report.arrange(["c", "a", "b"])
    assert [one.path for one in report.indexed] == ["c", "a", "b"]
    assert [one.path for one in report.failed] == ["c", "x"]
    assert report.removed == ["y", "z"]
