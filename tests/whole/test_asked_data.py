"""Models that are asked, and data that ask: who is measured on what."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from reeltune.cli.app import app
from reeltune.recipes.read import read_recipe
from reeltune.runs.evaluate import evaluate_checkpoint
from reeltune.runs.evaluation_recipe import evaluation_recipe
from reeltune.runs.place import RunPlace
from reeltune.runs.train import run_recipe

TINY = {"options.size": "tiny", "training.epochs": 1}


@pytest.fixture(scope="module")
def mover(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a model of frames that names motions."""
    out = tmp_path_factory.mktemp("runs") / "mover"
    run_recipe(read_recipe("toybox-motion/all-in-one-primary", TINY), RunPlace(out=out))
    return out


def test_a_run_on_frames_is_measured_where_its_component_has_a_recipe(mover: Path) -> None:
    recipe = evaluation_recipe(str(mover), "toybox-motion", {})
    assert (recipe.name, recipe.options["size"]) == ("toybox-motion/all-in-one-primary", "tiny")
    report = evaluate_checkpoint(str(mover), recipe, RunPlace(out=mover), "test")
    assert {"top-1", "top-5"} <= report.values().keys()
    other = evaluation_recipe(str(mover), "toybox-what", {"options.size": "tiny"})
    assert (other.component, other.features) == ("all-in-one", None)


def refusal(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 1, done.output
    return " ".join(done.stderr.split())


def test_a_model_of_frames_without_a_recipe_there_is_refused_with_those_that_there_are() -> None:
    said = refusal("evaluate", "tiny-clip", "--benchmark", "toybox-what")
    assert "tiny-clip is no folder of a model on stored features, and toybox-what has no" in said
    assert "toybox-what/univl" in said


def test_questions_are_not_taken_for_captions(tmp_path: Path) -> None:
    asks = ("--set", "options.size=tiny", "--set", "options.asks=what")
    said = refusal("train", "toybox/univl", *asks, "--out", str(tmp_path / "run"))
    assert "a model that finds videos would take the questions for captions" in said
    said = refusal("evaluate", "tiny-clip", "--benchmark", "toybox", *asks)
    assert "a model that finds videos would take the questions for captions" in said


def test_a_setting_that_is_given_in_two_ways_is_refused(tmp_path: Path) -> None:
    both = ("--seed", "1", "--set", "training.seed=2")
    said = refusal("train", "toybox/vop", *both, "--out", str(tmp_path / "run"))
    assert "training.seed is given by its own option as 1 and by --set as 2; give it once" in said
