"""Figures of a checkpoint, or of any model, under the protocol of a recipe."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from reeltune.batches.loader import FrameReader
from reeltune.data.splits.part import PARTS, Part, read_if_any
from reeltune.evaluation.beside import NOTHING, Asked, bank_of, require_hubs
from reeltune.evaluation.protocols import Named
from reeltune.evaluation.report import AnyReport
from reeltune.evaluation.rerank import Chooser
from reeltune.models.opening.open import load
from reeltune.recipes.recipe import Recipe
from reeltune.recipes.stored import as_stored, stored_recipe
from reeltune.runs.benchmark_data import sizes_differ
from reeltune.runs.clips import StoredClips
from reeltune.runs.finished import hash_of
from reeltune.runs.inputs import Inputs, frame_reader
from reeltune.runs.place import RunPlace
from reeltune.runs.setup import open_data, source_of
from reeltune.tasks.finding.judge import judge, require_not_asked_in_vain, require_scores, texts_of


def evaluate_checkpoint(
    name: str, recipe: Recipe, place: RunPlace, split: Part, asked: Asked = NOTHING
) -> AnyReport:
    """Figures of any model under the data of a recipe, clips read as the recipe says."""
    model = load(name, place.device)
    return evaluate_opened(model, Path(name), recipe, place, split, asked=asked)


def evaluate_opened(
    model: Any,
    folder: Path,
    recipe: Recipe,
    place: RunPlace,
    split: Part,
    settle: bool = False,
    asked: Asked = NOTHING,
) -> AnyReport:
    """Figures as by `evaluate_checkpoint`, for a model in memory that came from `folder`;
    `settle` is as in `tasks.retrieval.evaluate`."""
    require_scores(model, asked)
    recipe, dataset = open_data(recipe, place)
    bank = bank_of(asked, dataset, split)
    data, stored = dataset.read(split), stored_recipe(folder)
    require_not_asked_in_vain(model, data)
    require_hubs(asked, data)
    if asked.rerank is not None:
        asked.rerank.require_fewer(data)
    reader: FrameReader | StoredClips
    if recipe.features is None:
        reader = frame_reader(model.pixels, recipe.frames)
    else:  # of all splits where training has made them together
        together = _shares_features(stored, recipe)
        there = [read_if_any(dataset, part) for part in PARTS] if together else [data, bank]
        splits = [part for part in there if part is not None]
        reader = source_of(recipe, dataset).open(splits, place.progress)
        reader.maker.require_of(model)
    with ExitStack() as stack:
        stack.enter_context(reader)
        asked = _with_chooser(asked, reader, recipe, place, stack)
        inputs = Inputs(model, reader, texts=texts_of(model, dataset, recipe.dataset))
        differs = recipe.differs + sizes_differ(dataset, {split: data})
        seed = _seed_of(stored)
        named = Named(recipe.data_name, split, seed, recipe.v2t, hash_of(data), differs)
        if bank is not None:
            asked = replace(asked, bank=inputs.taken(bank, place))
        taken = inputs.taken(data, place)
        return judge(model, reader, taken, named, inputs.texts, settle, asked)


def _with_chooser(
    asked: Asked,
    reader: FrameReader | StoredClips,
    recipe: Recipe,
    place: RunPlace,
    stack: ExitStack,
) -> Asked:
    """What is asked, with the model open that chooses candidates, if another than the judged one
    does.

    It reads the features that the judged model reads if it is made for features, and otherwise
    frames as it wants them.
    Errors: `ConfigError` where it has no vectors.
    """
    rerank = asked.rerank
    if rerank is None or rerank.by is None:
        return asked
    model = rerank.require_vectors(load(rerank.by, place.device))
    reads_features = getattr(getattr(model, "config", None), "features", None) is not None
    if isinstance(reader, StoredClips) and reads_features:
        reader.maker.require_of(model)
    else:
        reader = stack.enter_context(frame_reader(model.pixels, recipe.frames))
    return replace(asked, rerank=replace(rerank, chooser=Chooser(model, reader)))


def _shares_features(stored: Recipe | None, recipe: Recipe) -> bool:
    """Whether the model that `stored` trained reads the features of this recipe."""
    if stored is None:
        return False
    there, wanted = as_stored(stored), as_stored(recipe)
    return all(there[name] == wanted[name] for name in ("dataset", "options", "features"))


def _seed_of(stored: Recipe | None) -> int | None:
    """The seed with which a checkpoint was trained, if its recipe says so."""
    return stored.training.seed if stored is not None and stored.tunes else None
