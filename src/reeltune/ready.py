"""What can be known to be wrong with a run before any clip of it is read."""

from collections.abc import Sequence
from typing import Any

from reeltune.config import Recipe
from reeltune.data._loader import Order
from reeltune.feature_run import clips_there
from reeltune.training import distributed
from reeltune.training.settings import Settings
from reeltune.types import Pair, Split


def require_ready(recipe: Recipe, options: Any, splits: Sequence[Split]) -> None:
    """Check settings, batch and stored features; `splits` are train, val and test, or test alone.

    Errors: `ConfigError` and `DataError`, as they would come of the run itself, but later.
    """
    recipe.model_config_of()
    if recipe.tunes:
        order_of(splits[0].pairs, recipe.training)
    if recipe.features is not None:
        clips_there(recipe, options)


def order_of(pairs: Sequence[Pair], settings: Settings) -> Order:
    """Batches for this process of all; DataError where the pairs fill none."""
    rank, world = distributed.start()
    return Order(
        pairs,
        settings.batch,
        settings.seed,
        settings.every_caption,
        rank,
        world,
        settings.neighbours,
    )
