"""A model of stored features knows what made them, and reads those of no other."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from reeltune.cli.commands.training import app
from reeltune.errors import ConfigError
from reeltune.features.index import FILE_NAME, Making
from reeltune.models import clip, dual_encoding, tiny_clip
from reeltune.models.opening.open import open_model
from reeltune.recipes.read import read_recipe
from reeltune.runs.evaluate import evaluate_checkpoint
from reeltune.runs.evaluation_recipe import evaluation_recipe
from reeltune.runs.feature_maker import Maker, why_not_to_index
from reeltune.runs.make_features import FeatureOptions, make_features
from reeltune.runs.place import RunPlace
from reeltune.runs.train import run_recipe

TINY = {
    "options.size": "tiny",
    "training.epochs": 1,
    "training.batch": 8,
    "words.at_least": 1,
    "config.embedding": 8,
    "config.hidden": 6,
    "config.filters": 4,
    "config.latent": 12,
    "config.concepts": 0,
}


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP whose features are as wide as those of tiny-clip."""
    tower = clip.Tower(width=16, layers=1, heads=2)
    config = clip.Config(
        vision=tower, text=tower, dim=96, image=32, patch=8, context=32, vocabulary=514
    )
    torch.manual_seed(5)
    folder = tmp_path_factory.mktemp("other")
    config.build().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def made(toybox: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features of Toybox by tiny-clip."""
    folder = tmp_path_factory.mktemp("made") / "features"
    make_features([str(toybox / "videos")], "tiny-clip", folder, FeatureOptions())
    return folder


@pytest.fixture(scope="module")
def trained(made: Path, toybox: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Dual Encoding of these features, whose recipe names no encoder."""
    out = tmp_path_factory.mktemp("trained") / "run"
    run_recipe(recipe_of(made), RunPlace(out=out, data=toybox))
    return out


def recipe_of(features: Path, encoder: str | None = None) -> Any:
    changes = {**TINY, "config.encoder": encoder, "features.folder": str(features)}
    return read_recipe("toybox/dual-encoding", changes)


def test_the_maker_of_the_features_is_the_encoder_and_pinned(trained: Path) -> None:
    model: Any = open_model(str(trained))
    assert model.config.encoder == "tiny-clip"
    assert model.config.encoder_fingerprint == open_model("tiny-clip").fingerprint
    assert why_not_to_index(trained) == ""


def test_another_encoder_of_the_same_width_is_refused_before_training(
    made: Path, other: Path, toybox: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(made, str(other))
    message = r"config\.encoder is .*other.* were made by tiny-clip .*--set config\.encoder=tiny-cl"
    with pytest.raises(ConfigError, match=message):
        run_recipe(recipe, RunPlace(out=tmp_path / "run", data=toybox))


def test_features_of_another_maker_are_refused_in_evaluation(
    trained: Path, other: Path, toybox: Path, tmp_path: Path
) -> None:
    make_features([str(toybox / "videos")], str(other), tmp_path / "theirs", FeatureOptions())
    changes = {"features.folder": str(tmp_path / "theirs")}
    recipe = evaluation_recipe(str(trained), "toybox", changes)
    message = r"was trained on features of tiny-clip .* were made by .*other.*features\.folder=FOLD"
    with pytest.raises(ConfigError, match=message):
        evaluate_checkpoint(str(trained), recipe, RunPlace(out=tmp_path, data=toybox), "test")


def test_an_encoder_that_has_changed_since_is_refused_in_indexing(
    other: Path, trained: Path, clip: Callable[..., Path], tmp_path: Path
) -> None:
    clip(tmp_path / "videos" / "red.mp4", (200, 20, 20))
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("encoder: tiny-clip", f"encoder: {other}"))
    command = [sys.executable, "-m", "reeltune", "index", str(tmp_path / "videos")]
    options = ["--library", str(tmp_path / "library"), "--model", str(run)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.search(
        r"other\S* has fingerprint \w+, and this model was trained beside", done.stderr
    )


def test_where_the_maker_is_not_known_the_hint_to_index_is_not_printed(tmp_path: Path) -> None:
    settings = dual_encoding.Config.tiny().model_copy(update={"encoder": None})
    settings.build().save_pretrained(tmp_path)
    assert "reads stored frame features alone, as it has no encoder" in why_not_to_index(tmp_path)


def test_an_encoder_of_unknown_features_is_taken_on_trust_and_said(tmp_path: Path) -> None:
    maker = Maker(Making(width=96), tmp_path)
    config = recipe_of(tmp_path, "tiny-clip").model_config_of()
    assert maker.known_to(config, "cpu") is config
    assert maker.said(config) == (
        f"what made the features in {tmp_path} is not known; tiny-clip is taken for it",
    )
    assert maker.said(recipe_of(tmp_path).model_config_of()) == ()


def test_the_command_prints_the_hint_only_where_it_works(
    made: Path, toybox: Path, tmp_path: Path
) -> None:
    unknown = tmp_path / "unknown"
    unknown.mkdir()
    for file in made.iterdir():
        (unknown / file.name).write_bytes(file.read_bytes())
    facts = (unknown / FILE_NAME).read_text()
    for name, value in (
        ("model", "tiny-clip"),
        ("fingerprint", open_model("tiny-clip").fingerprint),
    ):
        facts = facts.replace(f'"{name}":"{value}"', f'"{name}":""')
    (unknown / FILE_NAME).write_text(facts)
    for folder, hint in ((made, True), (unknown, False)):
        sets = [*TINY.items(), ("config.encoder", "null"), ("features.folder", folder)]
        options = [part for key, value in sets for part in ("--set", f"{key}={value}")]
        place = ["--data", str(toybox), "--out", str(tmp_path / f"run-{hint}")]
        done = CliRunner().invoke(app, ["train", "toybox/dual-encoding", *place, *options])
        assert done.exit_code == 0, done.output
        assert ("reeltune index VIDEOS --model" in done.output) is hint
        assert ("no videos can be indexed with it" in done.output) is not hint


def test_a_run_opens_the_encoder_of_its_features_once(
    toybox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real one takes seconds to open, and a table trains many runs."""
    opened, load = list[object](), tiny_clip.load

    def counted(*wanted: Any) -> Any:
        opened.append(wanted)
        return load(*wanted)

    monkeypatch.setattr(tiny_clip, "load", counted)
    alone = {"config.encoder": "tiny-clip", "config.sentence_encoder": None}
    recipe = read_recipe("toybox/dual-encoding", TINY | alone)
    run_recipe(recipe, RunPlace(out=tmp_path / "run", data=toybox))
    assert len(opened) == 1
