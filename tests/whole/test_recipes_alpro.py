"""ALPRO from recipe to report: what its recipes ask, the paper's figures, and small runs."""

from pathlib import Path

import pytest

from reeltune.errors import ConfigError
from reeltune.recipes.read import read_recipe, recipe_names
from reeltune.runs.place import RunPlace
from reeltune.runs.train import run_recipe
from reeltune.tasks.finding.reports import read_report

LOSSES = {"alpro": 4, "alpro-primary": 0, "alpro-meltr": 4}  # beside the loss of answers
ALPRO = [name for name in recipe_names() if name.partition("/")[2] in LOSSES]


def test_every_benchmark_of_alpro_has_the_sum_the_primary_loss_and_meltr() -> None:
    places = {name.partition("/")[0] for name in ALPRO}
    asked = {f"toybox-{task}" for task in ("action", "transition", "what", "motion")}
    assert places >= {"toybox", "msvd-qa", *asked}
    assert {f"{place}/{method}" for place in places for method in LOSSES} == set(ALPRO)


@pytest.mark.parametrize("name", ALPRO)
def test_a_recipe_trains_the_losses_that_its_name_says(name: str) -> None:
    place, _, method = name.partition("/")
    recipe = read_recipe(name)
    config = recipe.model_config_of()
    primary = "vtc" if place == "toybox" else "action" if place == "toybox-motion" else "qa"
    assert config.primary == primary
    own = 0 if place == "toybox" and method != "alpro-primary" else 1
    assert len(config.losses) == LOSSES[method] + own
    assert (recipe.meltr is not None) == (method == "alpro-meltr")


def test_figures_of_the_paper_are_beside_the_recipes() -> None:
    """MELTR (2303.13009), table 12."""
    assert read_recipe("msvd-qa/alpro-primary").expected == {"accuracy": 45.9}
    assert read_recipe("msvd-qa/alpro-meltr").expected == {"accuracy": 46.8}
    assert "2303.13009" in read_recipe("msvd-qa/alpro-meltr").source


def test_released_weights_that_are_absent_are_named_with_the_command() -> None:
    with pytest.raises(ConfigError, match=r"convert alpro alpro_pretrained_ckpt\.pt no-such, or"):
        read_recipe("msvd-qa/alpro", {"config.pretrained": "no-such"})


TINY = {
    "options.size": "tiny",
    "training.epochs": 1,
    "training.batch": 8,
    "config.width": 16,
    "frames": 2,
}


@pytest.mark.parametrize(
    ("name", "figure"),
    [
        ("toybox-transition/alpro", "accuracy"),
        ("toybox-what/alpro-meltr", "accuracy"),
        ("toybox-motion/alpro-primary", "top-1"),
    ],
)
def test_a_small_run_ends_with_a_report_that_is_read_again(
    name: str, figure: str, toybox: Path, tmp_path: Path
) -> None:
    recipe = read_recipe(name, {**TINY, "options.folder": toybox})
    done = run_recipe(recipe, RunPlace(out=tmp_path))
    assert done.report == read_report(tmp_path / "metrics.json")
    assert figure in str(done.report.figures())
