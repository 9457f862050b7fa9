"""Recipes: every one reads, the papers' figures are beside them, mistakes are named."""

import math
import re
from typing import Annotated, Any, get_args

import pytest
import torch
import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from reeltune.errors import ConfigError
from reeltune.meltr import step, transformer
from reeltune.meltr.melting import Melting
from reeltune.models.opening.count import count_parameters
from reeltune.models.opening.material import Words
from reeltune.recipes.inputs import FromFeatures
from reeltune.recipes.read import ROOT, is_packaged, read_recipe, recipe_names
from reeltune.recipes.recipe import Recipe
from reeltune.registry import find, names
from reeltune.training.settings import Settings

BENCHMARKS = ("msrvtt-9k", "msrvtt-7k", "didemo", "activitynet", "lsmdc", "toybox")
METHODS = (
    *("zero-shot", "full", "bias", "proj", "partial", "adapter-attn", "adapter-ffn", "lora"),
    *("vop", "vop-p", "vop-c", "vop-f", "vop-fp", "vop-fc", "tempme", "tempme-zero-shot"),
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
    "tempme": 491_520 + 16_128,
    "tempme-zero-shot": 0,
}


def test_there_is_every_benchmark_with_every_method() -> None:
    assert {f"{b}/{m}" for b in BENCHMARKS for m in METHODS} <= set(recipe_names())


def test_a_recipe_is_packaged_where_it_is_among_the_names() -> None:
    places, methods = (sorted({n.split("/")[i] for n in recipe_names()}) for i in (0, 1))
    every = [f"{place}/{method}" for place in places for method in methods]
    assert sorted(filter(is_packaged, every)) == sorted(recipe_names())
    assert not any(map(is_packaged, ("toybox", "toybox/", "toyshop/vop", "toybox/vap", "")))


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
        (
            "toybox/vop",
            {"training.rate": 1},
            r"vop: there is no setting training\.rate; did",
        ),
        ("toybox/vop", {"name.x": 1}, r"name\.x leads into name, which holds no settings"),
    ],
)
def test_a_mistake_is_named(name: str, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_recipe(name, changes)


def test_a_wrong_setting_of_model_or_data_is_named() -> None:
    with pytest.raises(ConfigError, match=r"recipe toybox/vop: config\.frames: .* \(got 0\)"):
        read_recipe("toybox/vop", {"config.frames": 0})
    with pytest.raises(ConfigError, match=r"toybox: options\.size: .* `reeltune datasets toybox`"):
        read_recipe("toybox/vop", {"options.size": "huge"})
    with pytest.raises(ConfigError, match=r"reads msrvtt, and .* --data FOLDER \(`reeltune datas"):
        read_recipe("msrvtt-9k/vop").dataset_config()


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("hold_out", "options.hold_out"),
        ("training.epoch", "training.epochs"),
        ("options.hold_uot", "options.hold_out"),
        ("config.bsae", "config.base"),
        ("warmstart", "meltr.warm_start"),
        ("at_most", "features.at_most"),
        ("word.at_least", "words.at_least"),
        ("gamma", "meltr.step.gamma"),
    ],
)
def test_a_setting_that_is_not_there_is_answered_by_the_nearest_of_all_sections(
    given: str, meant: str
) -> None:
    told = rf"recipe msrvtt-9k/vop.*: there is no setting {given}; did you mean --set {meant}\b"
    with pytest.raises(ConfigError, match=told):
        read_recipe("msrvtt-9k/vop", {given: 1})


def test_where_nothing_is_near_the_sections_are_named() -> None:
    with pytest.raises(ConfigError, match=r"no setting zzz; there are .*training\., .*options\."):
        read_recipe("toybox/vop", {"zzz": 1})
    with pytest.raises(ConfigError, match=r"no setting options\.zzz; there are .*options\.size"):
        read_recipe("toybox/vop", {"options.zzz": 1})


def numbers_in(kind: type[BaseModel]) -> list[Any]:
    """What is checked of each field that holds a number."""
    return [
        Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        for field in kind.model_fields.values()
        if {int, float} & {field.annotation, *get_args(field.annotation)}
    ]


def sections() -> list[type[BaseModel]]:
    """Classes of all settings that a recipe may hold."""
    found = [Recipe, FromFeatures, Words, Melting, Settings, step.Settings, transformer.Config]
    kinds = [("data", ""), ("models", ""), ("meltr.schemes", "")]
    configs = [getattr(find(kind, one), "Config", None) for kind, _ in kinds for one in names(kind)]
    return [*found, *(one for one in configs if one is not None)]


@pytest.mark.parametrize("kind", sections(), ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_no_number_of_a_recipe_may_be_negative_or_none_at_all(kind: type[BaseModel]) -> None:
    for annotation in numbers_in(kind):
        config = ConfigDict(allow_inf_nan=kind.model_config.get("allow_inf_nan", True))
        checked = TypeAdapter(annotation, config=config)
        for value in (-1, math.nan, math.inf):
            with pytest.raises(ValidationError, match="Input should be"):
                checked.validate_python(value)


@pytest.mark.parametrize(
    "name",
    [
        *("frames", "features.every", "features.at_most", "words.at_least", "training.batch"),
        *("training.epochs", "training.accumulate", "training.chunk", "training.neighbours"),
        *("training.patience", "meltr.step.every", "config.frames_at_most", "config.hidden"),
    ],
)
def test_what_counts_things_is_one_at_least(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"{re.escape(name)}: .* \(got 0\)"):
        read_recipe("toybox/dual-encoding-meltr", {name: 0})


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


@pytest.mark.parametrize(
    ("name", "path", "value", "why"),
    [
        ("toybox/vop", "features.every", 0.5, "it reads frames"),
        ("msrvtt-9k/zero-shot", "features.folder", "some", "it reads frames"),
        ("toybox/dual-encoding", "frames", 4, "it reads stored features"),
        ("toybox/univl", "frames", 4, "it reads stored features"),
        ("toybox/vop", "words.at_least", 2, "it learns no words of the captions"),
        ("toybox/univl", "words.letters", "unicode", "it learns no words of the captions"),
    ],
)
def test_a_section_that_the_model_does_not_read_is_refused(
    name: str, path: str, value: object, why: str
) -> None:
    component = read_recipe(name).component
    with pytest.raises(
        ConfigError, match=rf"{path} is not read by {component}, for {why}; leave out --set {path}"
    ):
        read_recipe(name, {path: value})
