"""A model and a task from outside the package, from recipe to report, by commands as well."""

import json
from pathlib import Path

import pytest
from own_clips import own_recipe, write_own
from typer.testing import CliRunner

from reeltune.cli.app import app
from reeltune.errors import ConfigError
from reeltune.evaluation.means import MeansReport
from reeltune.registry import given
from reeltune.runs.place import RunPlace
from reeltune.runs.train import run_recipe
from reeltune.training.log import read_log

NEW = {"component": given("whole.own_guesser"), "training": {"batch": 4, "epochs": 1}}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_own(tmp_path_factory.mktemp("own"), {"train": 8, "val": 3, "test": 4})


def test_a_new_task_is_trained_for_tested_and_found_again(own: Path, tmp_path: Path) -> None:
    recipe, place = own_recipe(**NEW), RunPlace(out=tmp_path, data=own)
    done = run_recipe(recipe, place)
    assert isinstance(done.report, MeansReport)
    assert done.outcome is not None
    assert done.outcome.best == read_log(tmp_path)[-1]["accuracy"]
    card = (tmp_path / "README.md").read_text()
    assert f"| {done.report.means['accuracy']:.1f} |" in card
    assert "| task | first-word |" in card
    again = run_recipe(recipe, place)
    assert (again.report, again.outcome) == (done.report, None)
    said = CliRunner().invoke(app, ["compare", str(tmp_path), str(tmp_path), "--json"])
    assert json.loads(said.output)["differences"]["accuracy"]["inside_noise"]


def test_a_figure_of_another_task_is_refused_before_the_model_is_open(
    own: Path, tmp_path: Path
) -> None:
    recipe = own_recipe(**NEW | {"training": {**NEW["training"], "judged_by": "SumR"}})
    with pytest.raises(ConfigError, match=r"judged_by is SumR, .* with one of accuracy$"):
        run_recipe(recipe, RunPlace(out=tmp_path, data=own))
