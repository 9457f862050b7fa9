"""Small UniVLs with random weights in folders, as training would leave them."""

from pathlib import Path

import torch

from reeltune.models.univl import Config
from reeltune.recipes.read import read_recipe
from reeltune.recipes.stored import as_stored, write_recipe

ANSWERS = ("up", "down", "left")


def save(folder: Path, recipe: dict[str, object] | None = None, **config: object) -> str:
    """The folder of a tiny UniVL over features of tiny-clip; beside it a recipe, where settings of
    one are given."""
    torch.manual_seed(0)
    Config(**{**Config.tiny().model_dump(), **config}).build().save_pretrained(folder)
    if recipe is not None:
        write_recipe(as_stored(read_recipe("toybox/univl", recipe)), folder)
    return str(folder)
