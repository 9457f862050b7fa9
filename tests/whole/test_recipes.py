"""Recipes: every one reads, the papers' figures are beside them, mistakes are named."""

import pytest
import torch
import yaml

from reeltune.config import ROOT, read_recipe, recipe_names
from reeltune.errors import ConfigError
from reeltune.models._count import count_parameters

BENCHMARKS = ("msrvtt-9k", "msrvtt-7k", "didemo", "activitynet", "lsmdc", "toybox")
METHODS = (
    *("zero-shot", "full", "bias", "proj", "partial", "adapter-attn", "adapter-ffn", "lora"),
    *("vop", "vop-p", "vop-c", "vop-f", "vop-fp", "vop-fc"),
)
TRAINABLE = {  # CLIP ViT-B/32; VoP^F and its combinations with the 9,216 of frame positions
    "zero-shot": 0,
    "full": 151_277_313,
    "bias": 171_008,
    "proj": 655_360,
    "partial": 10_240_256,
    "adapter-attn": 1_982_976,
    "adapter-ffn": 1_982_976,
    "vop": 122_880,
    "vop-p": 528_384,
    "vop-c": 14_257_152,
    "vop-f": 122_880 + 9_216,
    "vop-fp": 393_216 + 9_216,
    "vop-fc": 14_269_440 + 9_216,
}


def test_there_is_every_benchmark_with_every_method() -> None:
    assert {f"{b}/{m}" for b in BENCHMARKS for m in METHODS} <= set(recipe_names())


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_is_sound(name: str) -> None:
    recipe = read_recipe(name)
    recipe.model_config_of()
    assert recipe.tunes == (not name.endswith("zero-shot"))


@pytest.mark.parametrize("method", TRAINABLE)
def test_parameters_are_those_of_the_paper(method: str) -> None:
    with torch.device("meta"):
        count = count_parameters(read_recipe(f"msrvtt-9k/{method}").model_config_of().build())
    assert count["trainable"] == TRAINABLE[method]


@pytest.mark.parametrize(
    ("name", "r1"),
    [
        ("msrvtt-9k/zero-shot", 31.5),
        ("msrvtt-9k/vop-fc", 44.6),
        ("msrvtt-7k/vop-fp", 43.5),
        ("didemo/full", 41.6),
        ("activitynet/vop-fp", 36.1),
        ("lsmdc/vop", 19.0),
    ],
)
def test_the_papers_figures_are_beside_it(name: str, r1: float) -> None:
    recipe = read_recipe(name)
    assert recipe.expected["R@1"] == r1
    assert "2211.12764" in recipe.source


def test_settings_can_be_changed() -> None:
    recipe = read_recipe("toybox/vop", {"training.lr": 0.5, "options.size": "tiny"})
    assert recipe.training.lr == 0.5
    assert recipe.dataset_config().size == "tiny"


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("toybox", {}, r"no recipe 'toybox'; a recipe is one of .*toybox.*, a slash, and one of"),
        ("toybox/vopp", {}, r"no recipe 'toybox/vopp'"),
        ("toybox/vop", {"training.rate": 1}, r"recipe toybox/vop: training\.rate: Extra inputs"),
        ("toybox/vop", {"name.x": 1}, r"name\.x leads into name, which holds no settings"),
    ],
)
def test_a_mistake_is_named(name: str, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_recipe(name, changes)


def test_a_wrong_setting_of_model_or_data_is_named() -> None:
    recipe = read_recipe("toybox/vop", {"config.length": 3, "options.size": "huge"})
    with pytest.raises(ConfigError, match=r"recipe toybox/vop: length: Extra inputs"):
        recipe.model_config_of()
    with pytest.raises(ConfigError, match=r"dataset toybox: size: .* `reeltune datasets toybox`"):
        recipe.dataset_config()


@pytest.mark.parametrize("name", recipe_names())
def test_video_to_text_is_ranked_as_the_source_ranks_it(name: str) -> None:
    """Dual Encoding's code takes a video's best caption among all; CLIP4Clip's, whose protocol VoP
    follows, one caption for each video."""
    of_dual_encoding = read_recipe(name).dataset == "hybrid-space" and "flickr8k" not in name
    assert read_recipe(name).v2t == ("any" if of_dual_encoding else "grouped")


def test_a_benchmark_that_has_figures_of_video_to_text_names_their_rule() -> None:
    for path in ROOT.joinpath("benchmarks").iterdir():
        fields = yaml.safe_load(path.read_text(encoding="utf-8"))
        if any("v2t" in figures for figures in fields.get("expected", {}).values()):
            assert "v2t" in fields, path.name


def test_the_rule_of_video_to_text_can_be_changed_to_another_that_there_is() -> None:
    assert read_recipe("vatex/dual-encoding", {"v2t": "grouped"}).v2t == "grouped"
    with pytest.raises(ConfigError, match=r"vatex/dual-encoding: v2t: .*'grouped' or 'any'"):
        read_recipe("vatex/dual-encoding", {"v2t": "mean"})


def test_a_benchmark_gives_a_component_what_no_other_gets() -> None:
    univl, dual = read_recipe("toybox/univl"), read_recipe("toybox/dual-encoding")
    assert univl.config["vocabulary"] == "small"
    assert "vocabulary" not in dual.config
    assert univl.training.batch != dual.training.batch
    assert univl.features == dual.features
    assert read_recipe("toybox/vop").features is None


def test_a_method_whose_component_a_benchmark_does_not_know_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"which needs components\.dual-encoding there"):
        read_recipe("didemo/dual-encoding")
    with pytest.raises(ConfigError, match=r"vatex has no recipe for vop, which needs base there"):
        read_recipe("vatex/vop")


@pytest.mark.parametrize("method", ["vop-fp", "dual-encoding", "univl-meltr"])
def test_toybox_gives_the_batch_by_its_size(method: str) -> None:
    name, tiny = f"toybox/{method}", {"options.size": "tiny"}
    assert read_recipe(name, tiny).training.batch == 8
    assert read_recipe(name, {"options": {"size": "tiny"}}).training.batch == 8
    assert read_recipe(name, {**tiny, "training.batch": 6}).training.batch == 6, "asked for"
    assert (
        read_recipe(name).training.batch
        == read_recipe(name, {"options.size": "base"}).training.batch
    )
    assert read_recipe(name).training.batch > 8
