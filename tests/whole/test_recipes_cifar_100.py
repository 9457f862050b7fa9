"""Recipes of ResNet-32 on CIFAR-100: the paper's row, the published size, and runs."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reeltune.cli.app import app
from reeltune.data import cifar_100
from reeltune.recipes.read import read_recipe
from reeltune.runs.place import RunPlace
from reeltune.runs.train import run_recipe

NAMES = ("resnet32", "resnet32-primary", "resnet32-meltr")


def test_figures_of_the_paper_are_beside_it() -> None:
    """MELTR (2303.13009), table 12."""
    found = {name: read_recipe(f"cifar-100/{name}").expected for name in NAMES}
    assert found == {
        "resnet32": {},
        "resnet32-primary": {"top-1": 66.5},
        "resnet32-meltr": {"top-1": 69.2},
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_has_the_published_weights(name: str) -> None:
    done = CliRunner().invoke(app, ["describe", f"cifar-100/{name}", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["total"] == told["trainable"] == 470_004
    assert told["steps"] == 120 * 490


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_those_of_meta_weight_net(name: str) -> None:
    training = read_recipe(f"cifar-100/{name}").training
    assert (training.optimizer, training.lr, training.weight_decay) == ("sgd", 0.1, 5e-4)
    assert (training.batch, training.epochs, training.schedule) == (100, 120, "steps")


@pytest.mark.parametrize("name", NAMES)
def test_it_is_trained_and_judged(name: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    cifar_100.Config.tiny(tmp_path / "data")
    changes = {
        "options.hold_out": 1,
        "config.width": 4,
        "config.blocks": 1,
        "training.epochs": 2,
        "training.batch": 3,
    }
    recipe = read_recipe(f"cifar-100/{name}", changes)
    losses = recipe.model_config_of().losses
    assert losses == (("action",) if name.endswith("-primary") else ("action", "mixup", "rotation"))
    trained = run_recipe(recipe, RunPlace(out=tmp_path / "run", data=tmp_path / "data"))
    assert trained.report.protocol.task == "action-recognition"
    assert 0 <= trained.report.values()["top-1"] <= 100
