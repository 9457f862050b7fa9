"""A group of commands is one file: in the folder, or in a package that somebody else installs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reeltune.cli.app import app, groups, marked

PAGE = Path(__file__).parents[2] / "docs" / "extend" / "command.md"


def test_every_file_of_the_folder_has_commands_and_a_place_of_its_own() -> None:
    places = [group.PLACE for group in groups()]
    assert places == sorted(set(places))
    assert all(group.app.registered_commands for group in groups())


def test_commands_that_go_on_are_commands() -> None:
    run = CliRunner()
    shown = run.invoke(app, ["--help"]).stdout + run.invoke(app, ["library", "--help"]).stdout
    assert marked("GOES_ON") == {
        *("index", "watch", "demo", "features", "train", "tune", "table", "reindex"),
    }
    assert all(re.search(rf"\b{name}\b", shown) for name in marked("GOES_ON"))


@pytest.mark.parametrize("command", [["tune", "captions.csv"], ["library", "list"], ["serve"]])
def test_a_command_that_shares_no_work_is_refused_under_torchrun(
    command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("WORLD_SIZE", "2")
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 1
    assert done.stderr == (
        "error: torchrun has started 2 processes, each of which would do all of reeltune "
        f"{command[0]}; start it without torchrun, or use that for train\n"
    )
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert "torchrun" not in CliRunner().invoke(app, [*command, "--help"]).output


def install(folder: Path) -> None:
    """The package of the page as pip would leave it."""
    code, toml = re.findall(r"```\w+ title=.*?\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(code.splitlines()) < 60
    (folder / "reeltune_names").mkdir()
    (folder / "reeltune_names" / "commands.py").write_text(code)
    facts = folder / "reeltune_names-1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: reeltune-names\nVersion: 1\n")
    named = toml.partition("\n")[2].replace('"', "")
    (facts / "entry_points.txt").write_text(f"[reeltune.commands]\n{named}")


def test_the_command_of_the_page_is_one_of_reeltune(tmp_path: Path, library: Path) -> None:
    install(tmp_path)
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])

    def reeltune(*given: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "reeltune", *given]
        here = {**os.environ, "PYTHONPATH": paths}
        return subprocess.run(command, cwd=tmp_path, env=here, capture_output=True, text=True)

    assert "longest" in reeltune("--help").stdout
    missing = reeltune("longest", "--library", "none")
    assert missing.returncode == 1
    assert missing.stderr.startswith("error: ")
    found = json.loads(reeltune("longest", "--library", str(library), "--json").stdout)
    lengths = [one["seconds"] for one in found]
    assert lengths == sorted(lengths, reverse=True) != []
