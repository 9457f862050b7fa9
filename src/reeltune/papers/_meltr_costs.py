"""Measures what each scheme of MELTR costs beside the plain sum, in turns on one model."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from reeltune.errors import ConfigError
from reeltune.papers._in_turns import ROUNDS, in_turns, kept, opened
from reeltune.recipes.recipe import Recipe
from reeltune.runs.place import RunPlace


@dataclass(frozen=True)
class Cost:
    """The cost of one scheme, relative to training on the plain sum."""

    meta_step: float  # in training steps
    every: int  # K, training steps for one meta step

    def overhead(self, every: int | None = None) -> float:
        """The overhead of an epoch, in percent, with one meta step in `every` steps; by default
        K."""
        return 100 * self.meta_step / (every or self.every)


def stored_costs(
    recipe: Recipe, schemes: Sequence[str], place: RunPlace, rounds: int = ROUNDS
) -> dict[str, Cost]:
    """The costs in `costs.json` in the folder of `place` if they belong to this recipe; else
    measured ones."""
    asked = [recipe.model_dump(mode="json"), [*schemes], rounds]

    def measure() -> dict[str, Any]:
        found = costs(recipe, schemes, place, rounds)
        return {name: asdict(cost) for name, cost in found.items()}

    found = kept(place.out / "costs.json", asked, measure)
    return {name: Cost(**cost) for name, cost in found.items()}


def costs(
    recipe: Recipe, schemes: Sequence[str], place: RunPlace, rounds: int = ROUNDS
) -> dict[str, Cost]:
    """Measure `schemes` with what the recipe says of model, data, MELTR and K."""
    melting = recipe.meltr
    if melting is None:
        raise ConfigError(f"recipe {recipe.name} has no meltr; take one that has, of univl-meltr")
    every = melting.step.every
    ways = {
        name: recipe.model_copy(
            update={"meltr": melting.model_copy(update={"scheme": name, "options": {}})}
        )
        for name in ("multi-task", *schemes)
    }
    with opened(ways, place, every) as cycles:
        found = in_turns(cycles, rounds)
    return {name: Cost(every * (found[name].ratio - 1), every) for name in schemes}
