"""A recipe is opened once: its parts, and that nothing below sees it again."""

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reeltune.batches.loader import FrameReader
from reeltune.data.toybox import Config
from reeltune.errors import ConfigError
from reeltune.meltr.step import Meltr
from reeltune.models.dual_encoding import DualEncoding
from reeltune.models.vop import Vop
from reeltune.recipes.read import read_recipe
from reeltune.recipes.recipe import Recipe
from reeltune.runs import setup
from reeltune.runs.clips import StoredClips
from reeltune.runs.place import RunPlace
from reeltune.runs.setup import MakesItself, Setup, material_of, open_data, open_setup
from reeltune.runs.train import run_recipe
from reeltune.training.step import Contrast, Sum
from reeltune.types import Split

SMALL = {"options.size": "tiny", "training.batch": 16}
SEE_A_RECIPE = {"benchmark_data"}  # chooses its data


def opened(recipe: Recipe, out: Path, check: Callable[[Setup], None]) -> None:
    place = RunPlace(out=out, device="cpu")
    recipe, dataset = open_data(recipe, place)
    with open_setup(recipe, dataset, dataset.read("test"), place) as found:
        check(found)


def test_a_recipe_of_frames_becomes_model_clips_splits_and_step(tmp_path: Path) -> None:
    recipe = read_recipe("toybox/vop", SMALL)

    def check(found: Setup) -> None:
        assert isinstance(found.inputs.model, Vop)
        assert isinstance(found.inputs.clips, FrameReader)
        assert found.inputs.clips.frames == recipe.frames
        assert found.inputs.targets == {}
        assert found.test == Config(size="tiny").read("test")
        assert (found.named.dataset, found.named.split) == ("toybox", "test")
        assert found.learning is not None
        train, val = found.learning.splits
        assert train.pairs == Config(size="tiny").read("train").pairs
        assert val is not None
        assert val.pairs == Config(size="tiny").read("val").pairs
        assert isinstance(found.learning.step, Contrast)
        assert found.learning.loader.order.batch == 16
        assert found.learning.settings == recipe.training
        assert found.learning.v2t == recipe.v2t

    opened(recipe, tmp_path, check)


def test_a_recipe_of_features_also_has_targets_and_says_what_was_given(tmp_path: Path) -> None:
    def check(found: Setup, step: type) -> None:
        assert isinstance(found.inputs.model, DualEncoding)
        assert isinstance(found.inputs.clips, StoredClips)
        assert found.inputs.model.config.features == found.inputs.clips.width
        assert found.inputs.targets.keys() == {"concepts"}
        assert found.learning is not None
        assert isinstance(found.learning.step, step)

    for method, step in (("dual-encoding", Sum), ("dual-encoding-meltr", Meltr)):
        recipe = read_recipe(f"toybox/{method}", SMALL)
        opened(recipe, tmp_path, lambda found, step=step: check(found, step))


def test_a_place_that_takes_no_run_is_refused_before_the_data_are_read(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    place = RunPlace(out=tmp_path / "file", data=tmp_path / "none", device="cpu")
    recipe = read_recipe("msrvtt-9k/vop")
    with pytest.raises(ConfigError, match=r"file is a file, and .* is to be a folder"):
        run_recipe(recipe, place)


def test_what_is_not_tuned_learns_nothing(tmp_path: Path) -> None:
    def check(found: Setup) -> None:
        assert found.learning is None
        assert found.named.seed is None

    opened(read_recipe("toybox/zero-shot", {"options.size": "tiny"}), tmp_path, check)


def test_a_model_that_cannot_be_trained_is_refused(tmp_path: Path) -> None:
    recipe = Recipe(name="mine", dataset="toybox", options={"size": "tiny"}, component="lite")
    message = r"recipe mine: lite is a model that is used as it is.*--set component=tuned"
    with pytest.raises(ConfigError, match=message):
        opened(recipe.model_copy(update={"tunes": False}), tmp_path, lambda found: None)


def test_losses_of_validation_are_wanted_where_meltr_is_judged_on_it(tmp_path: Path) -> None:
    place, data = RunPlace(out=tmp_path, device="cpu"), Config(size="tiny")
    both = data.read("train"), data.read("val")

    def splits(method: str, **changes: object) -> tuple[Split, ...]:
        recipe = read_recipe(f"toybox/{method}", {**SMALL, **changes})
        return material_of(recipe, data, both, place).splits

    assert splits("dual-encoding") == both[:1]
    assert splits("dual-encoding-meltr") == both
    assert splits("dual-encoding-meltr", **{"meltr.outer": "recent"}) == both[:1]


class Made:
    """Data that make themselves, and tell how far they are."""

    def make(self, progress: Any = None) -> Path:
        progress(1, 2)
        return Path()


def test_data_that_make_themselves_are_known_by_what_they_offer() -> None:
    assert isinstance(Made(), MakesItself)
    assert isinstance(Config(size="tiny"), MakesItself)
    assert not isinstance(read_recipe("msrvtt-9k/vop").dataset_config(folder="."), MakesItself)


def imported(path: Path) -> dict[str, set[str]]:
    """Names that a file imports from the package, by module."""
    nodes = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ImportFrom)]
    return {node.module: {one.name for one in node.names} for node in nodes if node.module}


def test_below_setup_nobody_sees_a_recipe() -> None:
    folder, seen = Path(setup.__file__).parent, set[str]()
    waiting = ["setup"]
    while waiting:
        for module in imported(folder / f"{waiting.pop()}.py"):
            stem = module.removeprefix("reeltune.runs.")
            if module != stem and stem not in seen | SEE_A_RECIPE:
                seen.add(stem)
                waiting.append(stem)
    assert {"clip_source", "inputs", "learning", "ready", "step"} <= seen
    for stem in seen:
        names = imported(folder / f"{stem}.py").get("reeltune.recipes.recipe", set())
        assert "Recipe" not in names, stem
