"""A recipe and a place turned into their parts, once: below this nobody reads a recipe."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch

from reeltune.data.splits.part import PARTS, read_if_any
from reeltune.models.opening.initial import take_weights
from reeltune.recipes.read import Recipe
from reeltune.runs.benchmark_data import on_data, sizes_differ
from reeltune.runs.clips import started, stored_clips
from reeltune.runs.finished import hash_of
from reeltune.runs.inputs import Inputs, frame_reader
from reeltune.runs.learning import Learning, open_learning
from reeltune.runs.place import RunPlace
from reeltune.runs.ready import Learned, require_ready
from reeltune.runs.step import settings_read
from reeltune.storage.outputs import require_folder
from reeltune.tasks.judge import texts_of
from reeltune.tasks.retrieval import Named
from reeltune.training.settings import require_read
from reeltune.types import Split


@runtime_checkable
class MakesItself(Protocol):
    """Settings of a dataset that is made on this machine, where it is not there yet."""

    def make(self, progress: Callable[[int, int], None] | None = None) -> Path: ...


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
    require_folder(place.out)
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
    splits = [split for split in (*(learned or ()),) if split is not None]
    with open_inputs(recipe, dataset, splits, test, place) as (inputs, said):
        learning = _open_learning(recipe, inputs, learned, place) if learned else None
        yield Setup(
            inputs=inputs, test=test, named=named, learning=learning, said=(*differs, *said)
        )


@contextmanager
def open_inputs(
    recipe: Recipe, dataset: Any, learned: Sequence[Split], test: Split, place: RunPlace
) -> Iterator[tuple[Inputs, tuple[str, ...]]]:
    """The model as training begins with its clips, on frames or on stored features; and what the
    model was given.

    `learned` are the splits whose losses are wanted: that of training, then that of validation.
    """
    if recipe.features is None:
        model = recipe.model_config_of().start(place.device)
        said = _gone_on(model, recipe)
        place.say(said)
        with frame_reader(model, recipe.frames) as reader:
            yield Inputs(model, reader), said
        return
    with stored_clips(recipe, dataset, (*learned, test), place.progress) as clips:
        of_maker = clips.maker.said(recipe)
        recipe = clips.maker.known_to(recipe, place.device)
        begun = started(recipe, dataset, learned or [test], clips.width, place.device)
        texts = texts_of(begun.model, dataset, recipe.dataset)
        said = (*of_maker, *begun.said, *_gone_on(begun.model, recipe))
        place.say(said)
        yield Inputs(begun.model, clips, begun.targets, texts), said


def _gone_on(model: Any, recipe: Recipe) -> tuple[str, ...]:
    """Give the model the weights of the run that it starts from; tell what it was given."""
    if recipe.init is None:
        return ()
    said = take_weights(model, recipe.component, recipe.init)
    return (*said, *(["MELTR starts anew"] if recipe.meltr is not None else []))


def _open_learning(recipe: Recipe, inputs: Inputs, learned: Learned, place: RunPlace) -> Learning:
    train, val = learned
    melting = recipe.meltr
    reads = settings_read(inputs.model, melting is not None)
    require_read(recipe.training, reads, val is not None)
    kept_val = inputs.taken(val, place, melting is not None) if val is not None else None
    kept = inputs.taken(train, place, learned=True), kept_val
    return open_learning(recipe.name, inputs, kept, recipe.training, melting, recipe.v2t)
