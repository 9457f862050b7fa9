"""Libraries of a model whose vectors may be cut, `--width`."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import reeltune
from reeltune import Choice, Library
from reeltune.cli.app import app
from reeltune.errors import ConfigError, LibraryError
from reeltune.models.embedding_gemma2 import Config
from reeltune.models.opening.open import open_model
from reeltune.search.maintain import verify
from reeltune.search.store.manifest import Manifest


@pytest.fixture(scope="module")
def nested(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model whose vectors of 160 numbers can be cut to 128."""
    folder = tmp_path_factory.mktemp("models") / "nested"
    torch.manual_seed(0)
    Config.tiny().build().save_pretrained(folder)
    return str(folder)


@pytest.fixture
def home(videos: Path, nested: str) -> Path:
    reeltune.index([videos / "red.mp4"], videos.parent / "lib", Choice(model=nested, width=128))
    return videos.parent / "lib"


def test_a_library_keeps_its_width(home: Path, videos: Path, nested: str) -> None:
    library = Library(home)
    vectors = np.stack([moment.vector for moment in library.moments(vectors=True)])
    assert vectors.shape[1] == library.manifest.dim == library.model.dim == 128
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    for options in (Choice(), Choice(model=nested), Choice(width=128), Choice(model="auto")):
        assert len(reeltune.index([videos / "red.mp4"], home, options).unchanged) == 1
    assert len(library.search("a red square")) == 1
    assert verify(home).faults == []
    model = open_model(nested)
    with torch.inference_mode():
        query = model.encode_text(model.tokenize(["a red square"]))[0, :128].numpy()
    wanted = query / np.linalg.norm(query)
    np.testing.assert_allclose(library.embed_text("a red square")[0], wanted, atol=1e-6)


def test_another_width_is_another_library(home: Path, videos: Path, nested: str) -> None:
    message = (
        rf"was made with dim 128 .*, not 160 .*leave --width out, or read its videos again: "
        rf"reeltune library reindex {home} --model {nested}$"
    )
    with pytest.raises(LibraryError, match=message):
        reeltune.index([videos], home, Choice(width=160))
    library = Library(home)
    assert library.reindex(nested, width=160).in_use
    assert (library.manifest.dim, len(library.search("a red square"))) == (160, 1)
    with pytest.raises(LibraryError, match=rf"leave --width out, .*--model {nested} --width 128$"):
        reeltune.index([videos], home, Choice(width=128))


@pytest.mark.parametrize(
    "begin",
    [
        lambda videos, model: Library.create(videos.parent / "new", model, width=99),
        lambda videos, model: reeltune.index(
            videos, videos.parent / "new", Choice(model=model, width=99)
        ),
    ],
)
def test_widths_that_there_are_not_are_refused_with_those_that_there_are(
    begin: Callable[[Path, str], object], nested: str, model: str, videos: Path
) -> None:
    with pytest.raises(ConfigError, match=r"--width is 99, .* to be cut to 160, 128; give one of"):
        begin(videos, nested)
    with pytest.raises(ConfigError, match=r"--width is 99, and .* was not trained to have its vec"):
        begin(videos, model)
    assert not (videos.parent / "new").exists()


def test_the_commands_take_a_width(videos: Path, nested: str) -> None:
    home, run = str(videos.parent / "lib"), CliRunner()
    given = ["index", str(videos / "red.mp4"), "-l", home, "--model", nested, "--width", "128"]
    assert run.invoke(app, given).exit_code == 0
    assert Manifest.read(Path(home)).dim == 128
    done = run.invoke(app, ["library", "reindex", home, "--model", nested, "--json"])
    assert json.loads(done.stdout)["in_use"]
    assert Manifest.read(Path(home)).dim == 160
