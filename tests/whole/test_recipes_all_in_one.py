"""Recipes of All-in-one: the figures and settings of papers, and runs on Toybox."""

from pathlib import Path

import pytest

from reeltune.recipes.read import read_recipe, recipe_names
from reeltune.registry import find
from reeltune.runs.place import RunPlace
from reeltune.runs.train import run_recipe

FIGURES = {  # MELTR (2303.13009), table 2: R@1 R@5 R@10
    "msrvtt-7k/all-in-one-primary": (34.4, 65.4, 75.8),
    "msrvtt-7k/all-in-one-meltr": (38.6, 74.4, 84.7),
    "msrvtt-9k/all-in-one-primary": (37.9, 68.1, 77.1),
    "msrvtt-9k/all-in-one-meltr": (41.3, 73.5, 82.5),
}
NAMES = [name for name in recipe_names() if "/all-in-one" in name]


def test_figures_of_the_paper_are_beside_it() -> None:
    for name, figures in FIGURES.items():
        recipe = read_recipe(name)
        assert tuple(recipe.expected.values()) == figures
        assert "2303.13009" in recipe.source


@pytest.mark.parametrize("name", NAMES)
def test_the_primary_loss_is_never_the_guessing_of_words(name: str) -> None:
    """The code of MELTR takes it for the primary one, as the first of its list."""
    recipe = read_recipe(name)
    config = recipe.model_config_of()
    assert config.primary == {"retrieval": "vtc", "action-recognition": "action"}.get(
        config.judged_as, "qa"
    )
    assert config.losses[0] == config.primary
    assert (len(config.losses) == 1) == name.endswith("-primary")
    assert (recipe.meltr is not None) == name.endswith("-meltr")
    assert recipe.features is None


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("msrvtt")])
def test_settings_of_msrvtt_are_those_of_the_code(name: str) -> None:
    recipe = read_recipe(name)
    training, config = recipe.training, recipe.model_config_of()
    assert (training.lr, training.batch, training.epochs) == (3e-4, 256, 200)
    assert (recipe.frames, config.views, config.frames) == (9, 3, 3)
    assert config.losses == ("vtc",) if name.endswith("primary") else ("vtc", "mlm")
    if recipe.meltr is not None:
        step = recipe.meltr.step
        assert (step.every, step.lr, step.gamma, step.clip_norm) == (5, 1e-4, 0.1, 1)
        assert (recipe.meltr.sizes["width"], recipe.meltr.outer) == (128, "recent")


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("toybox/all-in-one-meltr", "retrieval"),
        ("toybox-action/all-in-one", "multiple-choice"),
        ("toybox-motion/all-in-one-primary", "action-recognition"),
    ],
)
def test_it_is_trained_and_judged_on_toybox(
    name: str, task: str, toybox: Path, tmp_path: Path
) -> None:
    changes = {"options.folder": toybox, "options.size": "tiny", "training.epochs": 1}
    trained = run_recipe(read_recipe(name, changes), RunPlace(out=tmp_path))
    assert isinstance(trained.report, find("tasks", task).TASK.report)
    assert getattr(trained.report.protocol, "task", task) == task
    assert trained.folder == tmp_path
