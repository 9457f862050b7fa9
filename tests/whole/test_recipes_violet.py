"""Recipes of Violet: the figures and settings of papers, and runs on Toybox."""

from pathlib import Path

import pytest

from reeltune.meltr.transformer import Config
from reeltune.recipes.read import read_recipe, recipe_names
from reeltune.runs.place import RunPlace
from reeltune.runs.train import run_recipe

FIGURES = {  # MELTR (2303.13009), tables 2 and 12: R@1 R@5 R@10, and top-1
    "msrvtt-7k/violet-primary": (31.7, 60.1, 74.6),
    "msrvtt-7k/violet-meltr": (33.6, 63.7, 77.8),
    "msrvtt-9k/violet-primary": (34.5, 63.0, 73.4),
    "msrvtt-9k/violet-meltr": (35.5, 67.2, 78.4),
    "kinetics-400/violet-primary": (72.4,),
    "kinetics-400/violet-meltr": (73.1,),
}
NAMES = [name for name in recipe_names() if "/violet" in name]


def test_figures_of_the_paper_are_beside_it() -> None:
    for name, figures in FIGURES.items():
        recipe = read_recipe(name)
        assert tuple(recipe.expected.values()) == figures
        assert "2303.13009" in recipe.source
    melted = {name for name in NAMES if name.endswith("-meltr") and read_recipe(name).expected}
    assert melted <= FIGURES.keys(), "table 3 of the paper is not known"


@pytest.mark.parametrize("name", NAMES)
def test_the_loss_it_is_judged_by_is_the_first(name: str) -> None:
    recipe = read_recipe(name)
    config = recipe.model_config_of()
    expected = {"pair-retrieval": "vtm", "action-recognition": "action"}
    assert config.losses[0] == config.primary == expected.get(config.judged_as, "qa")
    assert (len(config.losses) == 1) == name.endswith("-primary")
    assert (recipe.meltr is not None) == name.endswith("-meltr")
    assert recipe.features is None
    assert recipe.frames <= config.frames


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("msrvtt")])
def test_settings_of_msrvtt_are_those_of_the_code(name: str) -> None:
    recipe = read_recipe(name)
    training, config = recipe.training, recipe.model_config_of()
    assert (training.lr, training.batch, training.epochs) == (3e-6, 5, 20)
    assert (training.weight_decay, recipe.frames, config.words) == (1e-3, 5, 25)
    if recipe.meltr is not None:
        step = recipe.meltr.step
        assert (step.every, step.lr, step.gamma, step.clip_norm) == (3, 3e-6, 0.1, 12)
        assert (recipe.meltr.sizes["width"], recipe.meltr.outer) == (512, "recent")
        assert step.dropout


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(("tgif", "msvd-qa"))])
def test_melting_of_questions_is_that_of_the_code(name: str) -> None:
    melted = read_recipe(name).meltr
    if melted is not None:
        step, losses = melted.step, read_recipe(name).model_config_of().losses
        combiner = Config(tasks=losses, **melted.sizes).build()
        assert sum(weights.numel() for weights in combiner.parameters()) == 430_336
        assert (step.every, step.lr, step.weight_decay) == (3, 1e-4, 1e-4)
        assert (step.gamma, step.clip_norm, step.dropout) == (0.1, 12, True)


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("toybox/violet-meltr", "pair-retrieval"),
        ("toybox-action/violet", "multiple-choice"),
        ("toybox-what/violet", "open-ended"),
        ("toybox-motion/violet-primary", "action-recognition"),
    ],
)
def test_it_is_trained_and_judged_on_toybox(
    name: str, task: str, toybox: Path, tmp_path: Path
) -> None:
    changes = {"options.folder": toybox, "options.size": "tiny", "training.epochs": 1}
    recipe = read_recipe(name, changes)
    assert recipe.model_config_of().judged_as == task
    trained = run_recipe(recipe, RunPlace(out=tmp_path))
    assert trained.folder == tmp_path
    figures = trained.report.values()
    first = {"pair-retrieval": "t2v R@1", "action-recognition": "top-1"}.get(task, "accuracy")
    assert 0 <= figures[first] <= 100
