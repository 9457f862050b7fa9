"""Turns a recipe and a place into their parts, once; nothing below this reads a recipe."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch

from reeltune.data.splits.part import PARTS, read_if_any
from reeltune.errors import ConfigError
from reeltune.evaluation.protocols import Named
from reeltune.models.opening.material import Material
from reeltune.recipes.recipe import Recipe
from reeltune.runs.benchmark_data import on_data, sizes_differ
from reeltune.runs.clip_source import ClipSource
from reeltune.runs.clips import StoredClips
from reeltune.runs.finished import hash_of
from reeltune.runs.inputs import Inputs, open_inputs
from reeltune.runs.learning import Learning, open_learning
from reeltune.runs.place import RunPlace
from reeltune.runs.ready import Learned, require_learnable
from reeltune.runs.step import settings_read
from reeltune.settings.existing import require_there
from reeltune.tasks.finding.judge import texts_of
from reeltune.training.distributed import one_by_one
from reeltune.training.settings import require_read
from reeltune.types import Split


@runtime_checkable
class MakesItself(Protocol):
    """Settings of a dataset that is made on this machine if it does not exist yet."""

    def make(self, progress: Callable[[int, int], None] | None = None) -> Path:
        """Make what does not exist yet, and return its folder; `progress` is told clips done and in
        all."""
        ...


@dataclass(frozen=True, kw_only=True)
class Setup:
    """The parts of a recipe, opened."""

    inputs: Inputs
    test: Split  # as the dataset gives it
    named: Named  # what its figures are of
    learning: Learning | None  # none where nothing is tuned
    said: tuple[str, ...]  # what is not as the benchmark has it, and what the model was given


def open_data(recipe: Recipe, place: RunPlace) -> tuple[Recipe, Any]:
    """The recipe for the data that lie at `place`, and the settings of these data.

    Data that make themselves are made first.
    """
    recipe = on_data(recipe, place.data)
    dataset = recipe.dataset_config(folder=place.data)
    if isinstance(dataset, MakesItself):
        dataset.make(place.progress("making clips"))
    return recipe, dataset


@contextmanager
def open_setup(recipe: Recipe, dataset: Any, test: Split, place: RunPlace) -> Iterator[Setup]:
    """The model as training begins, its clips, and what it learns from; closes the clips."""
    seed = recipe.training.seed
    torch.manual_seed(seed)
    learned = (dataset.read("train"), read_if_any(dataset, "val")) if recipe.tunes else None
    require_ready(recipe, dataset, learned)
    sizes = dict(zip(PARTS, (*(learned or (None, None)), test), strict=True))
    differs = (*recipe.differs, *sizes_differ(dataset, sizes))
    place.say(differs)
    named = Named(
        recipe.data_name,
        "test",
        seed if recipe.tunes else None,
        recipe.v2t,
        hash_of(test),
        differs,
    )
    material = material_of(recipe, dataset, learned or (test, None), place)
    clips: StoredClips | int = recipe.frames
    if recipe.features is not None:
        splits = [split for split in (*(learned or ()), test) if split is not None]
        with one_by_one():
            clips = source_of(recipe, dataset).open(splits, place.progress)
    with open_inputs(recipe.model_config_of(), material, clips) as (inputs, given):
        anew = ("MELTR starts anew",) if recipe.init and recipe.meltr else ()
        place.say((*given, *anew))
        inputs = replace(inputs, texts=texts_of(inputs.model, dataset, recipe.dataset))
        learning = None
        if learned is not None:
            settings, melting = recipe.training, recipe.meltr
            reads = settings_read(inputs.model, settings, melting is not None)
            require_read(settings, reads, learned[1] is not None)
            kept = _taken(inputs, learned, melting is not None, place)
            learning = open_learning(recipe.name, inputs, kept, settings, melting, recipe.v2t)
        yield Setup(
            inputs=inputs,
            test=test,
            named=named,
            learning=learning,
            said=(*differs, *given, *anew),
        )


def require_ready(recipe: Recipe, dataset: Any, learned: Learned | None) -> None:
    """Check what can be known to be wrong before any clip is read; `learned` is None where nothing
    is trained.

    Errors: `ConfigError` and `DataError`, as they would come of the run itself, but later.
    """
    sections, melting = recipe.sections(), recipe.meltr
    require_there(f"recipe {recipe.name}", sections)
    if learned is not None:
        at_hand = recipe.features is not None or melting is not None
        require_learnable(sections["config"], at_hand, learned, recipe.training, melting)
    if recipe.features is not None:
        source_of(recipe, dataset).there()


def source_of(recipe: Recipe, dataset: Any) -> ClipSource:
    """The source of a recipe's features; raises ConfigError for a recipe that reads frames."""
    wanted = recipe.features
    if wanted is None:
        raise ConfigError(f"recipe {recipe.name} has no features; give --set features.every=0.5")
    return ClipSource(
        title=f"recipe {recipe.name}",
        dataset=dataset,
        encoder=recipe.config.get("encoder"),
        folder=wanted.folder,
        every=wanted.every,
        at_most=wanted.at_most,
    )


def material_of(recipe: Recipe, dataset: Any, learned: Learned, place: RunPlace) -> Material:
    """The material from which the model of a recipe may begin, except the width of stored
    features."""
    train, val = learned
    held_out = recipe.meltr is not None and recipe.meltr.outer == "held-out"
    return Material(
        title=f"recipe {recipe.name}",
        component=recipe.component,
        device=place.device,
        seed=recipe.training.seed,
        splits=(train, val) if held_out and val is not None else (train,),
        dataset=dataset,
        words=recipe.words,
        init=recipe.init,
    )


def _taken(inputs: Inputs, learned: Learned, melts: bool, place: RunPlace) -> Learned:
    """Both splits without what cannot be read; under MELTR the model learns from the second too."""
    train, val = learned
    kept = inputs.taken(val, place, learned=melts) if val is not None else None
    return inputs.taken(train, place, learned=True), kept
