"""`reeltune export`, and an exported model in the place of any other, without torch."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from reeltune.cli.app import app
from reeltune.errors import ConfigError
from reeltune.media.squares import squares
from reeltune.models.exported.sentence_transformers import plain_clip
from reeltune.models.opening.open import open_encoder
from reeltune.registry import find
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
    assert 0.99 < report["agreement"]["text_cosine"] < 1
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


def test_sentence_transformers_loads_a_clip_and_makes_our_vectors(
    model: str, tmp_path: Path
) -> None:
    from sentence_transformers import SentenceTransformer

    out = tmp_path / "sentences"
    asked = ["export", model, "--to", "sentence-transformers", "--out", str(out)]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    assert "| sentence-transformers |" in done.output
    assert "does not mend broken letters and HTML" in done.output
    theirs, ours = SentenceTransformer(str(out), device="cpu"), open_encoder(model, "cpu")
    texts = ["a dog", "Two men RIDE on", "naïve café", "one word more " * 40]
    with torch.inference_mode():
        wanted = ours.encode_text(ours.tokenize(texts)).numpy()
    np.testing.assert_allclose(theirs.encode(texts), wanted, atol=1e-6)
    picture = Image.effect_mandelbrot((70, 50), (-2, -1, 1, 1), 50).convert("RGB")
    square = squares(np.asarray(picture)[None], ours.pixels)
    with torch.inference_mode():
        frames = torch.from_numpy(square)[None]
        seen = ours.encode_video(frames, torch.ones(1, 1, dtype=torch.bool)).numpy()
    np.testing.assert_allclose(theirs.encode([picture]), seen, atol=1e-6)
    assert open_encoder(str(out)).fingerprint == ours.fingerprint, "it is a model here as before"


@pytest.mark.parametrize(
    ("component", "why"),
    [
        ("tuned", r"tuning by adapter-ffn put layers"),
        ("lite", r"its form \(Lite\) is none of those"),
    ],
)
def test_what_sentence_transformers_does_not_have_is_refused(component: str, why: str) -> None:
    made = find("models", component).Config.tiny().build()
    with pytest.raises(ConfigError, match=f"^it cannot be exported: {why}"):
        plain_clip(made, "it")


@pytest.mark.parametrize("to", ["onnx", "sentence-transformers"])
def test_data_that_nothing_would_be_measured_on_are_refused(
    model: str, to: str, tmp_path: Path
) -> None:
    out = tmp_path / "x"
    done = CliRunner().invoke(app, ["export", model, "--to", to, "--out", str(out), "--data", "d"])
    assert done.exit_code == 1
    assert "--data d goes with --benchmark, which reads it; leave it out" in done.output
    assert not out.exists()


def test_options_of_onnx_go_with_it_alone(model: str, tmp_path: Path) -> None:
    out = str(tmp_path / "x")
    asked = ["export", model, "--to", "sentence-transformers", "--int8", "--out", out]
    assert "--int8 and --benchmark go with --to onnx" in CliRunner().invoke(app, asked).output
