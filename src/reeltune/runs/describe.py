"""Describes a model from its architecture alone; no weight is read."""

from pathlib import Path
from typing import Any, NotRequired, TypedDict

import torch
from rich.table import Table
from torch import nn

from reeltune.data.splits.published import Published
from reeltune.errors import CheckpointError, ConfigError
from reeltune.models.opening.count import Part, count_parameters
from reeltune.models.opening.hub import find_cached
from reeltune.models.opening.material import without_weights
from reeltune.models.opening.open import component_named
from reeltune.models.opening.presets import chosen
from reeltune.models.opening.published import PUBLISHED
from reeltune.models.opening.towers import read_settings, towers_of
from reeltune.models.opening.weights import CARD, card_settings, read_card
from reeltune.objectives.named import names_of
from reeltune.recipes.own import is_path
from reeltune.recipes.read import begins_as_recipe, read_recipe, recipe_names
from reeltune.recipes.recipe import Recipe
from reeltune.registry import given, names
from reeltune.runs.amount import Amount
from reeltune.runs.bilevel import combiner_of
from reeltune.storage.home import from_home


class Description(TypedDict):
    """A model in numbers; `trainable` is what training would change unless a recipe freezes it."""

    name: str
    total: int
    trainable: int
    frozen: int
    parts: dict[str, Part]
    meltr: NotRequired[int]  # weights of MELTR, where a recipe trains by it; not in `total`
    pairs: NotRequired[int]  # of an epoch, where a recipe trains on data of known size
    steps: NotRequired[int]  # the most that it takes
    training: NotRequired[str]  # both in a sentence


def describe(name: str, changes: dict[str, Any] | None = None) -> Description:
    """Parameters of the model called `name`: a recipe, a component, a folder or a hub id.

    A recipe is described with `changes`, such as `{"config.hidden": 32}`.

    Well-known hub ids and those in the local cache need no network; none is ever used.
    Errors: `CheckpointError` if the architecture of `name` is not known here; `ConfigError` for
    changes of what is no recipe, and for a recipe that its benchmark does not have.
    """
    recipe = _recipe(name, changes)
    with torch.device("meta"):  # shapes without memory
        model = without_weights(recipe.model_config_of()) if recipe else _skeleton(name)
        melts = _combiner(recipe, model)
    count = count_parameters(model)
    found = Description(
        name=name,
        total=count["total"],
        trainable=count["trainable"],
        frozen=count["frozen"],
        parts=count["parts"],
    )
    if melts is not None:
        found["meltr"] = sum(weight.numel() for weight in melts.parameters())
    if recipe is not None and (much := _published_amount(recipe)) is not None:
        found["pairs"], found["steps"] = much.pairs, much.steps
        found["training"] = much.said(recipe.training)
    return found


def _recipe(name: str, changes: dict[str, Any] | None) -> Recipe | None:
    """The recipe of that name or in that file; None if there is none."""
    if is_path(name) or name in recipe_names():
        return read_recipe(name, changes)
    if changes:
        raise ConfigError(
            f"--set changes a recipe, and {name} is none; name one such as toybox/vop, or the "
            "YAML file of your own"
        )
    return None


def _published_amount(recipe: Recipe) -> Amount | None:
    """The amount of training on the published data in one process; None if their size is not
    known."""
    data = recipe.dataset_config(folder=recipe.options.get("folder", "."))
    size = data.published().get("train") if isinstance(data, Published) else None
    if size is None or not recipe.tunes:
        return None
    training = recipe.training
    pairs = size.captions if training.every_caption else size.videos
    if pairs is None:
        return None
    steps = pairs // training.batch // training.accumulate * training.epochs
    return Amount(size.videos, pairs, steps)


def _combiner(recipe: Recipe | None, model: Any) -> nn.Module | None:
    """The combiner with which a recipe melts the losses of its model, if it does, and if the model
    states their names."""
    if recipe is None or recipe.meltr is None or (names := names_of(model)) is None:
        return None
    return combiner_of(recipe.meltr, names)


def _skeleton(name: str) -> nn.Module:
    component = component_named(given(name))  # `clip` is an architecture before it is a preset
    name = name if component is not None else chosen(name)
    folder = from_home(name)
    if component is not None:
        packaged: Path | None = getattr(component, "FOLDER", None)  # of weights that come along
        return _skeleton_of_folder(packaged) if packaged else component.Config().build()
    if folder.is_dir():
        return _skeleton_of_folder(folder)
    if (published := PUBLISHED.get(name.partition("@")[0])) is not None:
        return published.towers()
    cached = find_cached(name)
    if cached is not None:
        return _skeleton_of_folder(cached)
    if begins_as_recipe(name):
        read_recipe(name)  # refuses it, and names the recipes that there are
    raise CheckpointError(
        f"the architecture of {name!r} is not known here: it is neither a folder nor one of "
        f"{', '.join([*names('models'), *PUBLISHED])}; name a recipe such "
        "as toybox/vop, or give a folder with its config.json"
    )


def _skeleton_of_folder(folder: Path) -> nn.Module:
    if not (folder / "config.json").is_file() and (folder / CARD).is_file():
        return card_settings(folder, read_card(folder).module().Config).build()
    return towers_of(read_settings(folder))


def description_table(description: Description) -> Table:
    """The description as a table for a terminal."""
    table = Table("part", title=description["name"], caption=description.get("training"))
    for column in ("parameters", "trainable"):
        table.add_column(column, justify="right")
    for part, count in description["parts"].items():
        table.add_row(part, f"{count['total']:,}", f"{count['trainable']:,}")
    table.add_section()
    table.add_row("in all", f"{description['total']:,}", f"{description['trainable']:,}")
    if "meltr" in description:
        table.add_row("beside it, MELTR", f"{description['meltr']:,}", f"{description['meltr']:,}")
    return table
