"""What a shell proposes, by the protocol in which it asks."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from reeltune.cli.app import app


def proposed(line: str) -> list[str]:
    words = line.split(" ")
    asked = {
        "_REELTUNE_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = CliRunner().invoke(app, [], env=asked, prog_name="reeltune")
    assert done.exit_code == 0, done.output
    return done.stdout.split()


def test_commands_options_recipes_and_libraries_are_proposed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "holidays").mkdir()
    (tmp_path / "holidays" / "library.json").write_text("{}")
    (tmp_path / "homework").mkdir()
    assert proposed("reeltune sea") == ["search"]
    assert proposed("reeltune search --min") == ["--min-confidence"]
    assert set(proposed("reeltune library re")) == {"repair", "remove", "relocate", "reindex"}
    assert "toybox/vop-fp" in proposed("reeltune train toybox/vop")
    assert proposed("reeltune search x -l ho") == ["holidays"]
    assert proposed("reeltune library info home") == ["homework/"]
