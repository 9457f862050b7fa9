"""`reeltune export`, and an exported model in the place of any other, without torch."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reeltune.cli.app import app
from reeltune.search.library import Library

WITHOUT = """
import sys
sys.modules |= dict.fromkeys(("torch", "transformers"))
from reeltune.cli.app import app
def run(*words):
    try:
        app(list(words))
    except SystemExit as end:
        assert not end.code, end.code
videos, model, library = sys.argv[1:]
run("index", videos, "--model", model, "--library", library, "--quiet")
run("search", "a red wall", "--library", library, "--json")
from pathlib import Path
from reeltune.serve.settings import Settings
from reeltune.serve.state import State
held = State(Settings(library=Path(library)))
held.warm()
assert held.library().search("a red wall")
held.jobs.close()
"""


@pytest.fixture(scope="module")
def exported(model: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "clip-onnx"
    done = CliRunner().invoke(app, ["export", model, "--to", "onnx", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "| onnx, float32 |" in done.output
    assert "of 30 pictures 100% have the same first of 256 captions" in done.output
    return out


def test_it_indexes_searches_and_serves_where_torch_cannot_be_imported(
    exported: Path, model: str, videos: Path, tmp_path: Path
) -> None:
    library, plain = tmp_path / "library", tmp_path / "plain"
    command = [sys.executable, "-c", WITHOUT, str(videos), str(exported), str(library)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout[done.stdout.index("[") :])
    made = Library.create(plain, model)
    made.index(str(videos))
    hits = made.search("a red wall")
    assert [hit["path"] for hit in found] == [hit.path for hit in hits]
    for one, other in zip(found, hits, strict=True):
        assert abs(one["score"] - other.score) < 1e-4
    assert Library(library).manifest.model == str(exported)
    assert Library(library).model.dim == made.model.dim


def test_int8_is_smaller_and_says_what_it_costs(model: str, tmp_path: Path) -> None:
    out = tmp_path / "small"
    asked = ["export", model, "--to", "onnx", "--int8", "--out", str(out), "--json"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    whole, small = report["forms"]
    assert (whole["name"], small["name"]) == ("torch", "onnx, int8")
    assert report["off_by"] < 1e-4
    assert 0.9 < report["agreement"]["text_cosine"] < 1
    assert {file.name for file in out.iterdir()} == {
        *("frames.onnx", "text.onnx", "tokenizer.json", "reeltune-export.json")
    }


def test_an_export_is_made_of_a_model_and_into_a_new_folder(exported: Path, model: str) -> None:
    again = ["export", str(exported), "--to", "onnx", "--out", str(exported.parent / "again")]
    done = CliRunner().invoke(app, again)
    assert done.exit_code != 0
    assert "is an exported model already" in done.output
    done = CliRunner().invoke(app, ["export", model, "--to", "onnx", "--out", str(exported)])
    assert "is not empty; give a new folder" in done.output
