"""The recipe that a run leaves beside its weights, which says how and on what they were trained."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from reeltune.errors import CheckpointError, in_short
from reeltune.recipes.recipe import Recipe
from reeltune.storage.atomic_file import write_atomically
from reeltune.storage.run_log import RECIPE as RECIPE
from reeltune.storage.settings_file import read_named


def as_stored(recipe: Recipe) -> dict[str, Any]:
    """The settings as the file has them, in which a path is a text."""
    return recipe.model_dump(mode="json")


def write_recipe(settings: Mapping[str, Any], folder: Path) -> None:
    """Leave every setting, as `as_stored` gives them, in the folder of a checkpoint."""
    text = yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True)
    write_atomically(folder / RECIPE, text.encode())


def stored_recipe(folder: Path) -> Recipe | None:
    """The recipe by which a checkpoint says it was trained; None if it says nothing.

    Errors: `CheckpointError` for a file that is no recipe, or one of another version.
    """
    path = folder / RECIPE
    if not path.is_file():
        return None
    try:
        return Recipe(**read_named(path))
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(
            f"{path} is no recipe that this version reads ({in_short(error)}); remove it to use "
            "the weights without it, or train them anew"
        ) from None
