"""Finds the recipe by which a model is measured on a benchmark."""

from pathlib import Path
from typing import Any

from reeltune.errors import ConfigError
from reeltune.models.opening.open import require_named
from reeltune.models.opening.weights import CARD, read_card
from reeltune.recipes.read import read_recipe, recipe_names
from reeltune.recipes.recipe import Recipe
from reeltune.recipes.stored import stored_recipe
from reeltune.registry import find, given
from reeltune.settings.faults import settings_of
from reeltune.settings.unread import flat, refuse_asked

OF_DATA = {"dataset", "options", "differs", "frames", "features", "v2t"}  # read where a model is
# measured; what its weights and their training depend on is not, but for the maker of features
MAKER = "config.encoder"
OF_CLIPS = {"options", "frames", "v2t"}  # what a recipe says of the clips that a run is tested on
ANYWHERE = "toybox"  # the benchmark that needs no files


def evaluation_recipe(name: str, benchmark: str | None, changes: dict[str, Any]) -> Recipe:
    """The recipe to measure a model by: data of the benchmark, clips as the model was trained on.

    Without a benchmark it is that of the model's training, and Toybox for what has none.
    On the benchmark of its training these are the data of the run, such as its size of Toybox.
    A model that was trained on stored features reads such features, and on the benchmark of its
    training the very same ones. One of a component that reads features, and which has no recipe
    beside it, as a converted one, is measured as the benchmark's own method of that component. Any
    other model reads frames, as many as the benchmark's method of its component has.
    """
    recipe = _recipe_of(name, benchmark, changes)
    refuse_asked("evaluate", dict(flat(changes)), _unread(recipe))
    return recipe


def _own_benchmark(trained: Recipe | None) -> str:
    own = "" if trained is None else trained.name.partition("/")[0]
    return own if any(name.startswith(f"{own}/") for name in recipe_names()) else ANYWHERE


def _unread(recipe: Recipe) -> dict[str, str]:
    """Settings of a recipe that nothing reads where a model is measured, by path, and why."""
    why = "where a model is measured as it is, but where it is trained"
    found = dict.fromkeys(Recipe.model_fields.keys() - OF_DATA - {"config"}, why)
    found |= dict.fromkeys(settings_of(type(recipe.model_config_of()), "config"), why)
    if recipe.features is not None and recipe.features.folder is None:
        found.pop(MAKER, None)
    return found


def _recipe_of(name: str, benchmark: str | None, changes: dict[str, Any]) -> Recipe:
    trained = stored_recipe(Path(name))
    benchmark = benchmark or _own_benchmark(trained)
    if trained is None and (method_of := _method_on_features(Path(name), benchmark)):
        return read_recipe(method_of[0], changes, method_of[1])
    if trained is None or trained.features is None:
        require_named(given(name))
        own_data = trained is not None and trained.name.partition("/")[0] == benchmark
        alike = trained.model_dump(mode="json", include=OF_CLIPS) if trained and own_data else {}
        return read_recipe(_method_on_frames(Path(name), trained, benchmark), changes, alike)
    own, _, method = trained.name.partition("/")
    kept = trained.model_dump(mode="json", include={"component", "config", "features"})
    if own == benchmark:
        kept["options"] = trained.options
    else:
        kept["features"]["folder"] = None
    wanted = f"{benchmark}/{method}"
    known = wanted if wanted in recipe_names() else f"{benchmark}/zero-shot"
    return read_recipe(known, changes, kept)


def _method_on_frames(folder: Path, trained: Recipe | None, benchmark: str) -> str:
    """The recipe of a benchmark for models that read frames; where it has none for all of them,
    that of the method, or else of the component, in `folder`.

    Errors: `ConfigError` where the benchmark has no frames for such a model.
    """
    own = [name for name in recipe_names() if name.startswith(f"{benchmark}/")]
    plain = f"{benchmark}/zero-shot"
    if plain in own or not own:
        return plain
    wanted = f"{benchmark}/{trained.name.partition('/')[2]}" if trained else ""
    component = read_card(folder).component if (folder / CARD).is_file() else ""
    for name in sorted(own, key=lambda name: name != wanted):
        recipe = read_recipe(name)
        if recipe.component == component and recipe.features is None:
            return name
    raise ConfigError(
        f"{folder} is no folder of a model on stored features, and {benchmark} has no recipe for "
        f"another of its kind; there are {', '.join(own)}; give the folder of a run of one of "
        "these, or of a converted model"
    )


def _method_on_features(folder: Path, benchmark: str) -> tuple[str, dict[str, Any]] | None:
    """The benchmark's first method of the component in `folder`, if that reads features.

    With it come the settings that say which features these are.
    """
    if not (folder / CARD).is_file():
        return None
    card = read_card(folder)
    for name in recipe_names():
        recipe = read_recipe(name) if name.startswith(f"{benchmark}/") else None
        if recipe and recipe.component == card.component and recipe.features is not None:
            named = "feature" in find("data", recipe.dataset).Config.model_fields
            known = {"config.encoder": card.config.get("encoder")}
            known |= {"options.feature": card.config.get("feature")} if named else {}
            return name, {path: value for path, value in known.items() if value is not None}
    return None
