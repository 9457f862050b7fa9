"""The command line as a user runs it: real files, exit codes, and a process where it matters."""

import json
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

from typer.testing import CliRunner

from reeltune._version import __version__
from reeltune.cli.app import app

Done = subprocess.CompletedProcess[str]


def process(*arguments: str | Path, at: Path | None = None) -> Done:
    """Run the command in a process of its own, which takes seconds to start."""
    command = [sys.executable, "-m", "reeltune", *map(str, arguments)]
    return subprocess.run(command, cwd=at, capture_output=True, text=True, check=False)


def reeltune(*arguments: str | Path) -> Done:
    """Run the command in this process."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return Done(arguments, done.exit_code, done.stdout, done.stderr)


def test_index_then_search_finds_moments_under_the_paths_given(library: Path) -> None:
    asked = ("search", "something blue", "--library", "lib", "--json")
    done = process(*asked, at=library.parent)
    assert done.returncode == 0, done.stderr
    hits = json.loads(done.stdout)
    assert {hit["path"] for hit in hits} == {"videos/red.mp4", "videos/green.mp4", "videos/two.mp4"}
    assert [hit["score"] for hit in hits] == sorted((h["score"] for h in hits), reverse=True)
    assert all(0 <= hit["start"] < hit["end"] <= hit["duration"] for hit in hits)


def test_the_version_is_told_without_a_command() -> None:
    done = reeltune("--version")
    assert (done.returncode, done.stdout) == (0, f"reeltune {__version__}\n")
    assert reeltune("--help").stdout.count("Search your own videos with words.") == 1


def test_a_search_prints_files_times_and_scores_for_people(library: Path) -> None:
    done = reeltune("search", "something blue", "-k", "2", "-l", library)
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert all(Path(row[4]).is_absolute() and Path(row[4]).is_file() for row in rows)
    assert "0:00.0" in done.stdout


def test_a_video_is_its_own_best_answer(library: Path) -> None:
    clip = library.parent / "videos" / "green.mp4"
    done = reeltune("search", "--video", clip, "--library", library, "--json", "-k", "1")
    (hit,) = json.loads(done.stdout)
    assert hit["path"] == "videos/green.mp4"
    assert hit["score"] > 0.99
    assert hit["location"] == str(clip.resolve()), "which opens from anywhere"


def test_a_picture_finds_the_clip_it_is_from(library: Path) -> None:
    import av

    with av.open(str(library.parent / "videos" / "red.mp4")) as container:
        next(container.decode(video=0)).to_image().save(library.parent / "red.png")
    picture = library.parent / "red.png"
    done = reeltune("search", "--image", picture, "--library", library, "--json", "-k", "1")
    assert [hit["path"] for hit in json.loads(done.stdout)] == ["videos/red.mp4"]


def test_answers_are_as_sure_as_asked_and_stand_by_date(library: Path) -> None:
    asked = ("search", "something blue", "-l", library, "--sort", "date")
    hits = json.loads(reeltune(*asked, "--json").stdout)
    dates = [datetime.fromisoformat(hit["date"]) for hit in hits]
    assert dates == sorted(dates, reverse=True)
    least = sorted(hit["confidence"] for hit in hits)[1]
    surer = json.loads(reeltune(*asked, "--json", "--min-confidence", str(least)).stdout)
    assert surer == [hit for hit in hits if hit["confidence"] >= least]
    assert 0 < len(surer) < len(hits)
    assert "--min-confidence" in reeltune(*asked, "--min-confidence", "1").stderr


def test_a_filter_narrows_and_a_wrong_one_is_explained(library: Path) -> None:
    done = reeltune("search", "x", "-l", library, "--json", "--where", "duration > 5")
    assert {hit["path"] for hit in json.loads(done.stdout)} == {"videos/two.mp4"}
    done = reeltune("search", "x", "-l", library, "--where", "colour = 'red'")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "colour" in done.stderr
    assert done.stderr.count("\n") == 1, "one line"


def test_exit_codes_tell_how_indexing_went(
    tmp_path: Path, videos: Path, exported_model: str
) -> None:
    (videos / "bad.mp4").write_bytes(b"this is no video")
    options = ("--library", tmp_path / "lib", "--model", exported_model)
    some = process("index", videos, *options, "--json")
    assert some.returncode == 3
    assert json.loads(some.stdout)["failed"][0]["path"].endswith("bad.mp4")
    none = reeltune("index", videos / "bad.mp4", *options)
    assert none.returncode == 1
    assert "bad.mp4" in none.stdout
    missing = reeltune("index", tmp_path / "nowhere", *options)
    assert missing.returncode == 1
    assert missing.stderr.startswith("error: ")


def test_care_of_a_library(library: Path, tmp_path: Path) -> None:
    library = shutil.copytree(library, tmp_path / "lib")
    facts = json.loads(reeltune("library", "info", library, "--json").stdout)
    assert (facts["files"], facts["moments"]) == (3, 4)
    lines = reeltune("library", "info", library).stdout.splitlines()
    lines = [line.strip() for line in lines]
    told = dict(line.split(maxsplit=1) for line in lines if line.startswith("channels"))
    assert told == {"channels": ", ".join(facts["channels"]) or "none"}
    assert not [line for line in lines if line.endswith(("True", "False", "]", "}", "None"))]
    assert reeltune("library", "verify", library).returncode == 0
    assert reeltune("library", "repair", library).stdout == "nothing to mend\n"
    assert json.loads(reeltune("library", "optimize", library, "--json").stdout)["fragments"] == 1
    (library / "library.json").write_text("{")
    assert reeltune("search", "x", "--library", library).returncode == 1
    assert "wrote library.json again" in reeltune("library", "repair", library).stdout
    assert reeltune("library", "verify", library).returncode == 0


def test_searching_without_a_library_says_how_to_make_one(tmp_path: Path) -> None:
    done = process("search", "x", at=tmp_path)
    assert done.returncode == 1
    assert "reeltune index VIDEOS --library" in done.stderr


def test_a_search_takes_a_query(library: Path) -> None:
    done = reeltune("search", "--library", library)
    assert done.returncode == 1
    assert "a search needs something that counts for a moment; give a text" in done.stderr
    done = reeltune("search", "  ", "--library", library)
    assert "the query is empty" in done.stderr
    done = reeltune("search", "caf\udce9", "--library", library)
    assert done.returncode == 1
    assert done.stderr.startswith("error: the query 'caf\\udce9' is not UTF-8; type it in")


def test_every_command_helps_with_an_example() -> None:
    import typer

    root = typer.main.get_command(app)
    commands = {**root.commands, **root.commands["library"].commands}  # type: ignore[attr-defined]
    for name in set(commands) - {"library", "version"}:
        assert "Example: `reeltune " in str(commands[name].help), name


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; import reeltune.cli.app; "
        "print([m for m in ('torch', 'numpy', 'lance', 'av', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
