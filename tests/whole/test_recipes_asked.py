"""Recipes of benchmarks that ask: what is asked, by which task, and what the papers found."""

from pathlib import Path

import pytest

from reeltune.recipes.read import read_recipe, recipe_names
from reeltune.runs.place import RunPlace
from reeltune.runs.train import run_recipe

TASKS = {
    "toybox-action": "multiple-choice",
    "toybox-transition": "multiple-choice",
    "toybox-what": "open-ended",
    "toybox-mood": "sentiment",
    "toybox-motion": "action-recognition",
    "toybox-things": "action-recognition",
    "cmu-mosi": "sentiment",
    "tgif-action": "multiple-choice",
    "tgif-transition": "multiple-choice",
    "tgif-frame": "open-ended",
    "msvd-qa": "open-ended",
    "kinetics-400": "action-recognition",
    "cifar-100": "action-recognition",
}
ASKED = [name for name in recipe_names() if name.partition("/")[0] in TASKS]


@pytest.mark.parametrize("name", ASKED)
def test_a_recipe_asks_what_its_benchmark_asks_and_sees_every_question(name: str) -> None:
    place = name.partition("/")[0]
    recipe = read_recipe(name)
    assert recipe.model_config_of().judged_as == TASKS[place]
    one_each = place in ("cmu-mosi", "kinetics-400", "cifar-100")
    assert recipe.training.every_caption != one_each
    assert not recipe.unread().keys() & {f"options.{key}" for key in recipe.options}


def test_univl_is_asked_on_mosi_and_on_every_toybox_but_that_of_pictures() -> None:
    places = [place for place in TASKS if place.startswith(("toybox-", "cmu-"))]
    places.remove("toybox-things")
    methods = ("univl", "univl-primary", "univl-meltr")
    assert {f"{place}/{method}" for place in places for method in methods} <= set(ASKED)


def test_figures_of_sentiment_are_those_of_the_paper() -> None:
    melted, plain = (read_recipe(f"cmu-mosi/{name}") for name in ("univl-meltr", "univl-primary"))
    assert melted.expected == {"BA": 85.3, "F1": 85.4, "MAE": 0.759, "Corr": 0.789}
    assert plain.expected == {"BA": 84.6, "F1": 84.6, "MAE": 0.781, "Corr": 0.767}
    assert melted.meltr is not None
    assert plain.model_config_of().losses == ("sentiment",)


@pytest.mark.parametrize("place", [place for place in TASKS if place.startswith("toybox-")])
def test_every_question_of_toybox_is_trained_and_answered(
    place: str, toybox: Path, tmp_path: Path
) -> None:
    changes = {"options.folder": toybox, "options.size": "tiny", "training.epochs": 1}
    model = "resnet32" if place == "toybox-things" else "univl"
    trained = run_recipe(read_recipe(f"{place}/{model}-primary", changes), RunPlace(out=tmp_path))
    assert trained.report.protocol.task == TASKS[place]
    assert trained.folder == tmp_path
