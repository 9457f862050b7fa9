"""The demo goes on without what an extra would bring, and says what that is."""

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reeltune.cli import sample_clips
from reeltune.cli.app import app
from reeltune.cli.output import program

MISSING = (
    "announcement.mp4 is left out: sentences are spoken by espeakng-loader, which is not "
    "installed; pip install 'reeltune[demo]'",
    "speech is recognised by faster-whisper, which is not installed; "
    "pip install 'reeltune[speech]'",
)


def test_the_demo_answers_by_what_is_seen_where_extras_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("espeakng_loader", "faster_whisper", "rapidocr"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(sample_clips, "CLIPS", ())
    monkeypatch.setattr(sample_clips, "SECONDS", 1)
    done = CliRunner().invoke(app, ["demo", "--folder", str(tmp_path / "demo")])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[1:3] == list(MISSING)
    assert lines[3].startswith("reading text in pictures is an extra: rapidocr is not installed")
    assert "4 indexed" in lines[0]
    assert " heard" not in lines[0] + " read" not in lines[0]
    assert not (tmp_path / "demo/clips/announcement.mp4").exists()
    assert {path.name for path in (tmp_path / "demo").iterdir()} == {
        *("clips", "sample.library", "answers.png")
    }


def test_what_to_do_next_can_be_typed_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "my tools" / "reeltune"
    own.parent.mkdir()
    own.touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(own.with_name("python")))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program() == f"'{own}'"
    monkeypatch.chdir(tmp_path)
    assert program() == "'my tools/reeltune'"
    monkeypatch.setenv("PATH", str(own.parent))
    assert program() == "reeltune"
    own.unlink()
    assert program() == "reeltune"
