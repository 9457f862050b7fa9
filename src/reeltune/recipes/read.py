"""Recipes: a benchmark and a method, each a YAML file, read into one checked object.

`msrvtt-9k/vop` is `recipes/benchmarks/msrvtt-9k.yaml` with `recipes/methods/vop.yaml`: the first
says data, base model and training, the second what is tuned and how fast it learns. What the
papers report stands beside, under `expected`.

What a benchmark gives models of one component that are no CLIPs is a section of its own:
    components: {univl: {features: {folder: f}, config: {width: 64}, training: {batch: 16}}}
It holds fields of a `Recipe`, and `only: [univl]` where not all methods of the component fit;
`base`, `frames` and `training` at the top are for CLIPs. A method `needs` base, which is a CLIP, or
such a section, as one that reads features or frames. What a benchmark gives one method alone goes
below `methods`: config, meltr, and settings of training as they are. Where `options.size` says how
much data there is, `sizes: {tiny: {training.batch: 8}}` has what `--set` would be given for that
size, and what is given goes first. Figures of the papers are `t2v` and `v2t`, in the order of
`FIGURES`, and `figures: {BLEU-4: 17.9}` by name.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import (
    ValidationError,
)

from reeltune.errors import ConfigError
from reeltune.models.opening.initial import pin_of
from reeltune.recipes.own import OwnRecipe, is_path, merge, read_own
from reeltune.recipes.recipe import Recipe, known_settings
from reeltune.registry import given
from reeltune.settings.existing import require_there
from reeltune.settings.faults import refusal
from reeltune.settings.unread import flat, refuse_asked, why_unread
from reeltune.storage.home import from_home

ROOT = files("reeltune").joinpath("recipes")


def recipe_names() -> list[str]:
    """Every pair of a benchmark and a method that can run."""
    methods = {name: _open("methods", name) for name in _names("methods")}
    return [
        f"{place}/{method}"
        for place in _names("benchmarks")
        for benchmark in [_open("benchmarks", place)]
        for method, how in methods.items()
        if not _lacks(benchmark, method, how)
    ]


def is_packaged(name: str) -> bool:
    """Whether `name` is one of `recipe_names`, without a look at the others."""
    place, _, method = name.partition("/")
    if place not in _names("benchmarks") or method not in _names("methods"):
        return False
    return not _lacks(_open("benchmarks", place), method, _open("methods", method))


def begins_as_recipe(name: str) -> bool:
    """Whether a name begins with a benchmark and a slash, as those of recipes do."""
    place, slash, _ = name.partition("/")
    return bool(slash) and place in _names("benchmarks")


def _lacks(benchmark: dict[str, Any], method: str, how: dict[str, Any]) -> str:
    """What a method needs and a benchmark lacks: a CLIP, or a section for its component."""
    if how.get("needs", "base") == "base":
        return "" if "base" in benchmark else "base"
    section = benchmark.get("components", {}).get(how["component"])
    if section is None:
        return f"components.{how['component']}"
    named = method in section.get("only", [method])
    return "" if named else f"its name in components.{how['component']}.only"


def read_recipe(
    name: str, changes: dict[str, Any] | None = None, taken: dict[str, Any] | None = None
) -> Recipe:
    """The recipe called `name`, or in the YAML file `name`, with `changes` such as
    `{"training.lr": 1e-4}`, which go before what is `taken` of another recipe, such as a run's.

    Errors: `ConfigError` names what is unknown, and what there is; and what was asked for, here or
    in the file, that nothing reads or that names what is not there.
    """
    own, asked = _own(name), _given(changes or {})
    recipe = _settled(name, own, {**(taken or {}), **asked}, asked)
    of_file = own.settings if own.named is not None else {}  # a whole file was not asked for
    wanted = {**dict(flat(of_file)), **dict(flat(asked))}
    refuse_asked(f"recipe {recipe.name}", wanted, recipe.unread())
    require_there(f"recipe {recipe.name}", recipe.sections(), wanted)
    if recipe.init is None:
        return recipe
    return recipe.model_copy(update=_pinned(recipe.name, recipe.init, recipe.init_pin))


def _given(changes: dict[str, Any]) -> dict[str, Any]:
    """The changes, in which a program or a person may name modules."""
    for _, value in flat(changes):
        if isinstance(value, str):
            given(value)
    return changes


def options_of(name: str) -> dict[str, Any]:
    """Settings of the dataset that the recipe called `name` has before anything is changed."""
    return _settled(name, _own(name), {}, {}).options


def read_of(name: str, changes: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The `changes`, made for many recipes, and its `own`, which go before these, as far as the
    recipe reads them."""
    plain = _settled(name, _own(name), {}, {})
    kept = {
        path: value
        for path, value in changes.items()
        if plain.meltr is not None or path.partition(".")[0] != "meltr"
    }
    asked = {**kept, **own}
    unread = _settled(name, _own(name), asked, asked).unread()
    return {p: v for p, v in asked.items() if v is None or not why_unread(p, unread)}


def _own(name: str) -> OwnRecipe:
    return read_own(Path(name)) if is_path(name) else OwnRecipe(name, {})


def _settled(
    name: str, own: OwnRecipe, changes: Mapping[str, Any], asked: Mapping[str, Any]
) -> Recipe:
    """The recipe with changes; `asked` are those of them that somebody gave."""
    fields = own.settings if own.named is None else _composed(own, dict(changes))
    title = name if is_path(name) else f"recipe {name}"
    if fields.get("meltr") is None:
        _require_scheme(title, {**own.settings, **asked})
    if own.named is not None:
        merge(fields, own.settings)
    for path, value in changes.items():
        _change(fields, path, value)
    try:
        return Recipe(**fields)
    except ValidationError as error:
        fault = refusal(error, "", known_settings(fields), asked)
        raise ConfigError(f"{title}: {fault}") from error


def _require_scheme(title: str, asked: Mapping[str, Any]) -> None:
    """Raise ConfigError where a setting of MELTR is asked for, and MELTR itself is not."""
    melts = [path for path, _ in flat(asked) if path.startswith("meltr.")]
    if melts and "meltr.scheme" not in melts:
        raise ConfigError(
            f"{title}: {melts[0]} is not read where no losses are melted; leave it out, take a "
            "recipe that melts them, such as toybox/univl-meltr, or name a scheme too, by "
            "--set meltr.scheme=aid-fp-lite"
        )


def _pinned(name: str, init: Path, init_pin: str | None) -> dict[str, Any]:
    """The run from which the recipe called `name` starts, by its absolute path, with the hash of
    its content; raises ConfigError if that changed."""
    run = from_home(init).absolute()
    pin = pin_of(run)
    if init_pin not in (None, pin):
        raise ConfigError(
            f"recipe {name} starts from {run}, whose weights are others now; leave init_pin "
            "out to start from these"
        )
    return {"init": run, "init_pin": pin}


def _composed(own: OwnRecipe, asked: dict[str, Any]) -> dict[str, Any]:
    """Fields of a recipe from its two files, changed as a file of one's own says.

    `asked` may say which size of the data is meant.
    """
    name = str(own.named)
    place, _, method = name.partition("/")
    benchmark = _read("benchmarks", place, name)
    how = _read("methods", method, name)
    if lacks := _lacks(benchmark, method, how):
        raise ConfigError(
            f"{place} has no recipe for {method}, which needs {lacks} there; "
            f"there are: {', '.join(n for n in recipe_names() if n.endswith('/' + method))}"
        )
    expected = benchmark.pop("expected", {}).get(method, {})
    adapted = benchmark.pop("methods", {}).get(method, {})
    sizes = benchmark.pop("sizes", {})
    given = _defaults_of(benchmark, how)
    melting = {**how.get("meltr", {}), **adapted.pop("meltr", {})}
    fields: dict[str, Any] = {
        "name": name,
        **benchmark,
        **given.fields,
        "component": how["component"],
        "tunes": how.get("tunes", True),
        "meltr": melting or None,
        "config": {**given.config, **how.get("config", {}), **adapted.pop("config", {})},
        "training": {**given.training, **how.get("training", {}), **adapted},
        "expected": {
            **dict(zip(FIGURES, expected.get("t2v", ()), strict=False)),
            **expected.get("figures", {}),
        },
        "expected_v2t": dict(zip(FIGURES, expected.get("v2t", ()), strict=False)),
    }
    for path, value in sizes.get(_size(fields, {**own.settings, **asked}), {}).items():
        _change(fields, path, value)
    return fields


FIGURES = ("R@1", "R@5", "R@10", "MnR", "MdR")


@dataclass(frozen=True)
class KindDefaults:
    """Settings that a benchmark gives to every method of a kind."""

    fields: dict[str, Any]  # of the recipe
    config: dict[str, Any]  # of the model
    training: dict[str, Any]


def _defaults_of(benchmark: dict[str, Any], how: dict[str, Any]) -> KindDefaults:
    """Takes what is for CLIPs and what is for components out of `benchmark`, and gives one."""
    section = dict(benchmark.pop("components", {}).get(how["component"], {}))
    training = benchmark.pop("training", {})
    tied = {name: benchmark.pop(name, None) for name in ("base", "frames")}
    needs = how.get("needs", "base")
    if needs == "base":
        wanted: list[Literal["base", "frames"]] = how.get("from_benchmark", [])
        return KindDefaults({"frames": tied["frames"]}, {n: tied[n] for n in wanted}, training)
    section.pop("only", None)
    config, training = section.pop("config", {}), section.pop("training", {})
    options = {**benchmark.pop("options", {}), **section.pop("options", {})}
    read: dict[str, Any] = {"features": {}} if needs == "features" else {}
    return KindDefaults({**read, "options": options, **section}, config, training)


def _size(fields: dict[str, Any], changes: dict[str, Any]) -> object:
    """The wanted size of the dataset, if a benchmark has several."""
    options = {**fields.get("options", {}), **changes.get("options", {})}
    return changes.get("options.size", options.get("size"))


def _change(fields: dict[str, Any], path: str, value: object) -> None:
    *parents, last = path.split(".")
    for parent in parents:
        if fields.get(parent) is None:
            fields[parent] = {}
        fields = fields[parent]
        if not isinstance(fields, dict):
            raise ConfigError(f"{path} leads into {parent}, which holds no settings here")
    fields[last] = value


@cache
def _names(kind: str) -> list[str]:
    found = (file.name for file in ROOT.joinpath(kind).iterdir())
    return sorted(name.removesuffix(".yaml") for name in found if name.endswith(".yaml"))


def _read(kind: str, name: str, whole: str) -> dict[str, Any]:
    if name not in _names(kind):
        raise ConfigError(
            f"no recipe {whole!r}; a recipe is one of {', '.join(_names('benchmarks'))}, a slash, "
            f"and one of {', '.join(_names('methods'))}"
        )
    return _open(kind, name)


def _open(kind: str, name: str) -> dict[str, Any]:
    """What a packaged file says, as a copy that the caller may change."""
    return deepcopy(_parsed(kind, name))


@cache
def _parsed(kind: str, name: str) -> dict[str, Any]:
    """What a packaged file says, parsed once: a table settles hundreds of recipes."""
    return dict(yaml.safe_load(ROOT.joinpath(kind, f"{name}.yaml").read_text(encoding="utf-8")))
