"""A better model is offered once, and only where a person can answer."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from huggingface_hub import constants
from typer.testing import CliRunner

from cli.on_terminal import in_terminal, terminal
from local_server import answering
from reeltune.cli.app import app
from reeltune.cli.model_question import answers_file, model_for_new, preferred


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without answers and without models."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path


def never() -> str:
    raise AssertionError("it was asked")


def yes(name: str, reach: float) -> bool:
    return True


def test_a_yes_is_remembered_and_takes_the_better_model(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert preferred(lambda: "y", yes) == "siglip2"
    said = " ".join(capsys.readouterr().err.split())
    assert "siglip2 was trained on" in said
    assert "a download of 1540 MB (Apache-2.0)" in said
    assert json.loads(answers_file().read_text()) == {"better_model": True}
    assert preferred(never, yes) == "siglip2"


@pytest.mark.parametrize("answer", ["", "n", "what?"])
def test_any_other_answer_is_a_no_and_is_remembered_too(answer: str) -> None:
    assert preferred(lambda: answer, yes) is None
    assert preferred(never, yes) is None


def test_nothing_is_asked_where_the_hub_does_not_answer_and_nothing_remembered() -> None:
    assert preferred(never, lambda name, reach: False) is None
    assert not answers_file().exists()


def test_the_end_of_the_input_is_no_answer() -> None:
    def end() -> str:
        raise EOFError

    assert preferred(end, yes) is None
    assert not answers_file().exists()


def test_an_answer_that_cannot_be_kept_counts_once(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "config").write_text("no folder")
    assert preferred(lambda: "y", yes) == "siglip2"
    assert "so this will be asked again" in " ".join(capsys.readouterr().err.split())


def test_a_damaged_answer_is_asked_for_again() -> None:
    answers_file().parent.mkdir(parents=True)
    answers_file().write_text('{"better_model": 3')
    assert preferred(lambda: "y", yes) == "siglip2"


def test_scripts_are_never_asked(home: Path) -> None:
    assert model_for_new(home / "new", quiet=False) is None  # the streams of tests are no terminal


def test_the_list_has_every_fact_for_scripts() -> None:
    done = CliRunner().invoke(app, ["models", "--json"])
    found = {one["name"]: one for one in json.loads(done.stdout)}
    assert found["lite"]["here"]
    assert found["lite"]["figures"][0]["value"] == 27.4
    assert found["siglip2"]["here"] is False
    assert found["siglip2"]["speed"] is None
    assert found["siglip2"]["licence"] == "Apache-2.0"


def test_the_speed_of_a_model_that_is_here_is_measured() -> None:
    done = CliRunner().invoke(app, ["models", "--json", "--speed"])
    speed = json.loads(done.stdout)[0]["speed"]
    assert speed["frames_per_second"] > 0
    assert speed["texts_per_second"] > 0


@contextmanager
def hub_of_every_model() -> Iterator[str]:
    """Address of a hub that has each model that it is asked for."""

    class Answer(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            _, _, _, owner, name, *_, commit = self.path.partition("?")[0].split("/")
            said = json.dumps({"id": f"{owner}/{name}", "sha": commit, "siblings": []}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

    with answering(Answer) as address:
        yield address


@terminal
def test_a_person_at_a_terminal_is_asked_once(home: Path) -> None:
    (home / "videos").mkdir()
    command = ("index", home / "videos", "-l", home / "lib")
    person = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")}
    with hub_of_every_model() as address:
        reached = {**os.environ, **person, "HF_ENDPOINT": address, "HF_HUB_OFFLINE": "0"}
        asked = in_terminal(
            *command, typed=b"n\n", prompt=b"Fetch it? [y/N]", code=1, environment=reached
        )
        again = in_terminal(*command, code=1, environment=reached)
    assert "it needs a download of 1540 MB (Apache-2.0)" in " ".join(asked.split())
    assert "This is asked once." in asked
    assert "Fetch it?" not in again
    assert "no video" in again
    assert json.loads((home / "config" / "reeltune" / "answers.json").read_text()) == {
        "better_model": False
    }
