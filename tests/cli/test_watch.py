"""`reeltune watch` as a process: it goes on with what changed meanwhile, and Ctrl-C ends it."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from reeltune.cli.news import Teller
from reeltune.search.library import Library
from reeltune.search.report import Failed, Indexed, Report
from reeltune.search.watching import Missing, Trouble


def test_a_process_brings_in_what_is_new_and_is_ended_by_ctrl_c(
    exported_model: str, tmp_path: Path, clip: Callable[..., Path]
) -> None:
    video = clip(tmp_path / "videos" / "red.mp4", (200, 0, 0))
    os.utime(video, (1e9, 1e9))
    Library.create(tmp_path / "lib", exported_model)
    command = ["watch", str(video.parent), "--library", str(tmp_path / "lib"), "--settled", "0.3"]
    with subprocess.Popen(
        [sys.executable, "-m", "reeltune", *command, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        late = threading.Timer(120, process.kill)
        late.start()
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert [one["path"] for one in first["indexed"]] == [str(video)]
        video.rename(video.with_name("blood.mp4"))
        while not (report := json.loads(process.stdout.readline()))["moved"]:
            pass
        assert report["moved"] == [str(video.with_name("blood.mp4"))]
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
        late.cancel()
    assert process.returncode == 130
    assert "stopped; run the same command again to go on where it stopped\n" in said


def test_news_are_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    teller = Teller(as_json=False)
    teller.begin(["a", "b"], Path("lib"))
    report = Report("lib", failed=[Failed("x.mp4", "no video in it")], waiting=["y.mp4"])
    done = Report("lib", indexed=[Indexed("y.mp4", 3, 12.34, "cut off")], removed=["z.mp4"])
    for news in (report, report, Missing(("b",)), Missing(()), done, report):
        teller.tell(news)
    for _ in range(2):
        teller.tell(Trouble("it is locked"))
    said = capsys.readouterr()
    assert said.err == "lib is kept fresh from a, b; Ctrl-C ends that\n"
    assert said.out.splitlines() == [
        "waiting until y.mp4 is complete",
        "failed x.mp4: no video in it",
        "gone b; what the library has of it stays, until it is back",
        "back b",
        "indexed y.mp4: 3 moments of 12.3 s; cut off",
        "removed z.mp4",
        "waiting until y.mp4 is complete",
        "failed x.mp4: no video in it",
        "not now: it is locked",
    ]


def test_scripts_read_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    teller = Teller(as_json=True)
    teller.begin(["a"], Path("lib"))
    for news in (Report("lib"), Missing(("a",)), Trouble("locked")):
        teller.tell(news)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["library"] == "lib"
    assert lines[1:] == [{"missing": ["a"]}, {"trouble": "locked"}]
