"""Every command line of README.md, docs/**/*.md and `--help` runs, at its smallest size."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from documented import PARSED_ONLY, ROOT, arguments, is_mention, lines, lines_of, named, run_as
from small_world import make_world, provide, run
from typer.main import get_command

from reeltune.cli.app import app

LINES = lines()
MENTIONS = [line for line in LINES if is_mention(line)]
PARSED = [
    line
    for line in LINES
    if line not in MENTIONS and any(begin in f"{line} " for begin in PARSED_ONLY)
]
RUN = list({run_as(line): line for line in LINES if line not in PARSED + MENTIONS}.values())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place, home = tmp_path_factory.mktemp("world"), tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("HOME", str(home))
        make_world(home)
        yield place


@pytest.mark.parametrize("line", RUN)
def test_a_documented_command_runs(line: str, world: Path, tmp_path: Path) -> None:
    provide(line)
    words = arguments(line)
    if "--out" in words:  # a place of its own, for several lines have the same
        place = words.index("--out") + 1
        words[place] = str(tmp_path / words[place])
    done = run(words)
    assert done.exit_code == 0, f"{' '.join(words)}\n{done.output}{done.exception!r}"


@pytest.mark.parametrize("line", [*PARSED, *MENTIONS])
def test_what_is_not_run_has_the_commands_and_options_that_there_are(line: str) -> None:
    words = shlex.split(line)
    command, left = named(words[words.index("reeltune") + 1 :])
    if line in PARSED:
        command.make_context("reeltune", left)


def test_every_page_and_every_help_is_looked_at() -> None:
    assert len(RUN) > 40
    assert "reeltune train toybox/vop-fp --set options.size=tiny --out runs/tiny" in RUN
    assert "reeltune library repair holidays" in RUN, "which is in a --help alone"
    assert "reeltune tune" in MENTIONS
    for begin in PARSED_ONLY:
        assert any(begin in f"{line} " for line in PARSED), "nothing is left of it: take it out"


def test_readme_says_what_every_command_is_for() -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `reeltune ")]
    said = {line.split("`")[1].split()[1] for line in rows}
    shared = {"cut", "evaluate"}  # which stand beside `play` and `train`
    assert said | shared | {"version"} == {*get_command(app).commands}  # type: ignore[attr-defined]


def test_lines_are_found_in_blocks_in_sentences_and_with_their_choices() -> None:
    page = "Say `reeltune a B\\|C [--d]`.\n```\nreeltune e \\\n  --f     # why\nother\n```\n"
    assert list(lines_of(page)) == [
        "reeltune e    --f",
        "reeltune a B --d",
        "reeltune a C --d",
    ]
