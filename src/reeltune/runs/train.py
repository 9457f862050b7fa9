"""A recipe from its data to its report: train, choose by validation, test once."""

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from reeltune.batches.frame_cache import FrameCache
from reeltune.batches.loader import ClipReader, FrameReader, Loader, Order, Target, Text, readable
from reeltune.data import toybox
from reeltune.data.splits.part import PARTS, Part, read_if_any
from reeltune.errors import DataError
from reeltune.evaluation.beside import NOTHING, Asked, bank_of
from reeltune.evaluation.protocols import V2tRule
from reeltune.meltr import combiner
from reeltune.meltr.step import Meltr
from reeltune.models.opening.initial import take_weights
from reeltune.models.opening.open import open_model, require_named
from reeltune.models.opening.weights import CARD, read_card
from reeltune.recipes.read import Melting, Recipe, read_recipe, recipe_names, require_frames
from reeltune.recipes.stored import as_stored, stored_recipe
from reeltune.registry import find
from reeltune.runs.amount import amount_of
from reeltune.runs.benchmark_data import on_data, sizes_differ
from reeltune.runs.bilevel import melting_step
from reeltune.runs.clips import StoredClips, started, stored_clips
from reeltune.runs.finished import finished_run, hash_of, write_run
from reeltune.runs.paper import paper_beside
from reeltune.runs.ready import (
    Learned,
    kind_of_step,
    left_out_of,
    order_of,
    require_ready,
    require_wrong_answers,
)
from reeltune.storage.cache import cache_folder
from reeltune.storage.outputs import require_folder
from reeltune.tasks.judge import judge, require_scores, texts_of, unread_of, validation
from reeltune.tasks.reports import AnyReport
from reeltune.tasks.retrieval import Named, Ranged
from reeltune.training import distributed
from reeltune.training.checkpoint import remove_state
from reeltune.training.contrasted import is_contrasted
from reeltune.training.log import Watcher
from reeltune.training.loop import Outcome, Run, train
from reeltune.training.settings import Settings, require_read
from reeltune.training.step import Contrast, Step, Sum
from reeltune.types import LeftOut, Split, collect_left_out

MELTR = "meltr.safetensors"
OF_CLIPS = {"options", "frames", "v2t"}  # what a recipe says of the clips that a run is tested on
FRAME_CACHE = "frames"  # below the cache folder


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a run reads and writes, and what sees it."""

    out: Path
    data: Path | None = None  # folder of the dataset; Toybox needs none
    device: str | None = None
    watcher: Watcher | None = None
    tensorboard: bool = False


@dataclass
class Trained:
    """What a run left in its folder."""

    folder: Path
    report: AnyReport  # on test
    outcome: Outcome | None = None  # none where nothing was trained
    leads: bool = True  # whether this process is the first of several
    said: tuple[str, ...] = ()  # what is not as the benchmark has it, and what the model was given
    expected: dict[str, float] = field(default_factory=dict)  # of the paper, of these very data


def run_recipe(recipe: Recipe, place: Place) -> Trained:
    """Train what the recipe tunes, keep the weights that validate best, and test them once.

    A run that was stopped goes on where it stopped; one that is finished is not run again.
    """
    rank, _ = distributed.start()
    recipe = on_data(recipe, place.data)
    options = recipe.dataset_config(folder=place.data)
    if isinstance(options, toybox.Config):
        options.make(_progress(place, "making clips"))
    test = options.read("test")
    finished = finished_run(recipe, place.out, test)
    if finished is not None:
        remove_state(place.out)  # of a run that was stopped between its last two files
        expected, papers = paper_beside(recipe, finished)
        told = (*finished.protocol.differs, *papers)
        return Trained(place.out, finished, leads=rank == 0, said=told, expected=expected)
    torch.manual_seed(recipe.training.seed)
    seed = recipe.training.seed if recipe.tunes else None
    learned = (options.read("train"), read_if_any(options, "val")) if recipe.tunes else None
    require_folder(place.out)
    require_ready(recipe, options, learned)
    differs = sizes_differ(
        options, dict(zip(PARTS, (*(learned or (None,) * 2), test), strict=True))
    )
    told = _told(place, recipe.differs + differs)
    named = Named(recipe.data_name, "test", seed, recipe.v2t, hash_of(test), told)
    with ExitStack() as stack:
        taught = [split for split in learned or () if split is not None]
        ground = ground_of(recipe, place, options, taught, test, stack)
        model, reader = ground.model, ground.reader
        outcome, left_out = None, dict[str, tuple[LeftOut, ...]]()
        if learned:
            require_read(recipe.training, kind_of_step(model, recipe.meltr).reads, bool(learned[1]))
            val = learned[1] and ground.taken(learned[1], place, recipe.meltr is not None)
            kept = ground.taken(learned[0], place, learned=True), val
            outcome = tune_model(ground, kept, recipe.training, place, recipe.name, recipe.meltr)
            left_out = left_out_of(kept, recipe.training, outcome)
        report = judge(model, reader, ground.taken(test, place), named, ground.texts)
        report = report.also_without(left_out)
    if rank == 0:
        model.save_pretrained(place.out)
        write_run(place.out, recipe, report, (*told, *ground.said))
        remove_state(place.out)
    distributed.stop()
    expected, papers = paper_beside(recipe, report)
    return Trained(place.out, report, outcome, rank == 0, (*told, *ground.said, *papers), expected)


@dataclass(frozen=True)
class Ground:
    """What a run stands on: a model, its clips, what its losses want beside them, and by which rule
    it is judged."""

    model: Any
    reader: ClipReader
    targets: dict[str, Target] = field(default_factory=dict)
    texts: dict[str, Text] = field(default_factory=dict)
    v2t: V2tRule = "grouped"
    said: tuple[str, ...] = ()  # what the model was given before its training

    def taken(self, split: Split, place: Place, learned: bool = False) -> Split:
        """The split without clips that cannot be read; it names them, and captions that the model
        cannot read, of which those of a writer only count where it has `learned` from them."""
        kept = without_faults(self.reader, split, place)
        also = unread_of(self.model, kept, self.texts, learned)
        return replace(kept, left_out=(*kept.left_out, *also))

    def loader(self, order: Order) -> Loader:
        """Batches in this order, as the losses of the model want them."""
        return Loader(
            self.reader, order, self.model.tokenize, targets=self.targets, texts=self.texts
        )

    def loader_of(self, split: Split, settings: Settings) -> Loader:
        """The same of a split in one process, also of one that is smaller than a batch."""
        batch = min(settings.batch, split.videos)
        return self.loader(Order(split.pairs, batch, settings.seed))


def ground_of(
    recipe: Recipe,
    place: Place,
    options: Any,
    taught: Sequence[Split],
    test: Split,
    stack: ExitStack,
) -> Ground:
    """The model as training begins, on frames or on stored features; `stack` closes the reader.

    `taught` are the splits whose losses are wanted: that of training, then that of validation.
    """
    if recipe.features is None:
        model = recipe.model_config_of().start(place.device)
        reader = stack.enter_context(frame_reader(model, recipe.frames))
        return Ground(model, reader, v2t=recipe.v2t, said=_gone_on(model, recipe, place))
    said = partial(_progress, place)
    stored = stack.enter_context(stored_clips(recipe, options, (*taught, test), said))
    said_of_maker = stored.maker.said(recipe)
    recipe = stored.maker.known_to(recipe, place.device)
    begun = started(recipe, options, taught or [test], stored.width, place.device)
    texts = texts_of(begun.model, options, recipe.dataset)
    told = _gone_on(begun.model, recipe, place, (*said_of_maker, *begun.said))
    return Ground(begun.model, stored, begun.targets, texts, recipe.v2t, told)


def _gone_on(
    model: Any, recipe: Recipe, place: Place, said: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Give the model the weights of the run that it starts from; tell what it was given."""
    if recipe.init is not None:
        said = (*said, *take_weights(model, recipe.component, recipe.init))
        said += ("MELTR starts anew",) if recipe.meltr is not None else ()
    return _told(place, said)


def _told(place: Place, said: tuple[str, ...]) -> tuple[str, ...]:
    """The sentences, told to the watcher of the first process."""
    for sentence in said if distributed.start()[0] == 0 else ():
        if place.watcher:
            place.watcher.say(sentence)
    return said


def tune_model(
    ground: Ground,
    learned: Learned,
    settings: Settings,
    place: Place,
    name: str,
    melting: Melting | None = None,
) -> Outcome:
    """Train a model on the first split, choosing by the second; the best weights stay in it.

    Without a second one the last weights do, and ranges of scores are those of the first.
    """
    model, reader = ground.model, ground.reader
    rank, _ = distributed.start()
    require_wrong_answers(learned, settings, melting)
    train_split, val_split = learned
    loader = ground.loader(order_of(train_split.pairs, settings))
    _told(place, (amount_of(loader.order, settings).said(settings),))
    step: Step = step_of(model, settings)
    if melting is not None:
        held = ground.loader_of(val_split, settings) if val_split else None
        step = melting_step(model, melting, loader, held, settings)
    judges = partial(validation, model, reader, texts=ground.texts, v2t=ground.v2t)
    run = Run(
        model=model,
        step=step,
        loader=loader,
        settings=settings,
        folder=place.out,
        identity=_identity(name, ground, [split for split in learned if split], settings),
        validate=judges(val_split) if val_split else None,
        watcher=place.watcher if rank == 0 else None,
        tensorboard=place.tensorboard,
        leads=rank == 0,
    )
    outcome = train(run)
    if val_split is None and isinstance(model, Ranged):
        judges(train_split)()
    if rank == 0 and isinstance(step, Meltr) and isinstance(step.combiner, combiner.Learned):
        combiner.save(step.combiner, place.out / MELTR)
    return outcome


def step_of(model: Any, settings: Settings) -> Step:
    """Contrast over all processes for models with a temperature; else the sum of the losses."""
    if is_contrasted(model):
        return Contrast(model, settings.precision, settings.chunk)
    return Sum(model, precision=settings.precision)


def evaluation_recipe(name: str, benchmark: str, changes: dict[str, Any]) -> Recipe:
    """What a model is measured by: data of the benchmark, clips as the model was trained on them.

    On the benchmark of its training these are the data of the run, such as its size of Toybox.
    A model that was trained on stored features reads such features, and on the benchmark of its
    training the very same ones. One of a component that reads features, and which has no recipe
    beside it, as a converted one, is measured as the benchmark's own method of that component. Any
    other model reads frames.
    """
    trained = stored_recipe(Path(name))
    if trained is None and (method_of := _method_on_features(Path(name), benchmark)):
        return read_recipe(method_of[0], {**method_of[1], **changes})
    if trained is None or trained.features is None:
        require_named(name)
        require_frames(benchmark, name)
        own_data = trained is not None and trained.name.partition("/")[0] == benchmark
        alike = trained.model_dump(mode="json", include=OF_CLIPS) if trained and own_data else {}
        return read_recipe(f"{benchmark}/zero-shot", {**alike, **changes})
    own, _, method = trained.name.partition("/")
    kept = trained.model_dump(mode="json", include={"component", "config", "features"})
    if own == benchmark:
        kept["options"] = trained.options
    else:
        kept["features"]["folder"] = None
    wanted = f"{benchmark}/{method}"
    known = wanted if wanted in recipe_names() else f"{benchmark}/zero-shot"
    return read_recipe(known, {**kept, **changes})


def _method_on_features(folder: Path, benchmark: str) -> tuple[str, dict[str, Any]] | None:
    """The benchmark's first method of the component in `folder`, where it reads features.

    With it come the settings that say which features these are.
    """
    if not (folder / CARD).is_file():
        return None
    component, config = read_card(folder)
    for name in recipe_names():
        recipe = read_recipe(name) if name.startswith(f"{benchmark}/") else None
        if recipe and recipe.component == component and recipe.features is not None:
            named = "feature" in find("data", recipe.dataset).Config.model_fields
            known = {"config.encoder": config.get("encoder")}
            known |= {"options.feature": config.get("feature")} if named else {}
            return name, {path: value for path, value in known.items() if value is not None}
    return None


def evaluate_checkpoint(
    name: str, recipe: Recipe, place: Place, split: Part, asked: Asked = NOTHING
) -> AnyReport:
    """Figures of any model under the data of a recipe, clips read as the recipe says."""
    model = open_model(name, place.device)
    return evaluate_opened(model, Path(name), recipe, place, split, asked=asked)


def evaluate_opened(
    model: Any,
    folder: Path,
    recipe: Recipe,
    place: Place,
    split: Part,
    settle: bool = False,
    asked: Asked = NOTHING,
) -> AnyReport:
    """The same of a model in memory that came from `folder`; `settle` as in `evaluate`."""
    require_scores(model, asked)
    recipe = on_data(recipe, place.data)
    options = recipe.dataset_config(folder=place.data)
    bank = bank_of(asked, options, split)
    data, stored = options.read(split), stored_recipe(folder)
    clips: FrameReader | StoredClips
    if recipe.features is None:
        clips = frame_reader(model, recipe.frames)
    else:  # of all splits where training has made them together
        together = _shares_features(stored, recipe)
        there = [read_if_any(options, part) for part in PARTS] if together else [data, bank]
        splits = [part for part in there if part is not None]
        clips = stored_clips(recipe, options, splits, partial(_progress, place))
        clips.maker.require_of(model)
    with clips as reader:
        ground = Ground(model, reader, texts=texts_of(model, options, recipe.dataset))
        differs = recipe.differs + sizes_differ(options, {split: data})
        seed = _seed_of(stored)
        named = Named(recipe.data_name, split, seed, recipe.v2t, hash_of(data), differs)
        if bank is not None:
            asked = replace(asked, bank=ground.taken(bank, place))
        taken = ground.taken(data, place)
        return judge(model, reader, taken, named, ground.texts, settle, asked)


def frame_reader(model: Any, frames: int) -> FrameReader:
    """Reads clips as the model wants them, through the cache that all runs share."""
    return FrameReader(model.pixels, frames, FrameCache(cache_folder() / FRAME_CACHE))


def without_faults(reader: ClipReader, split: Split, place: Place) -> Split:
    """The split without clips that cannot be read, which it names.

    Errors: `DataError` where none can be read.
    """
    what = "decoding" if isinstance(reader, FrameReader) else "reading features"
    pairs, faults = readable(reader, split.pairs, _progress(place, what))
    if not pairs:
        raise DataError(
            f"no video of the split can be read; the first is {split.pairs[0].path}: "
            f"{faults[split.pairs[0].video]}"
        )
    left_out = (*split.left_out, *collect_left_out("video", faults.items()))
    return replace(split, pairs=tuple(pairs), left_out=left_out)


def _progress(place: Place, what: str) -> Callable[[int, int], None]:
    """Tells the watcher, where there is one, how far `what` has come."""
    watcher = place.watcher
    return partial(watcher.prepare, what) if watcher else lambda done, total: None


def _identity(name: str, ground: Ground, splits: Sequence[Split], settings: Settings) -> str:
    """Names a run by all that its numbers depend on."""
    facts = [
        name,
        getattr(ground.model, "fingerprint", ""),
        ground.reader.policy,
        ground.v2t,
        [hash_of(split) for split in splits],
        settings.model_dump(exclude={"save_minutes"}),
        distributed.world(),
    ]
    return hashlib.blake2b(json.dumps(facts).encode(), digest_size=16).hexdigest()


def _shares_features(stored: Recipe | None, recipe: Recipe) -> bool:
    """Whether what `stored` trained reads the very features of this recipe."""
    if stored is None:
        return False
    there, wanted = as_stored(stored), as_stored(recipe)
    return all(there[name] == wanted[name] for name in ("dataset", "options", "features"))


def _seed_of(stored: Recipe | None) -> int | None:
    """The seed a checkpoint was trained with, where its recipe says so."""
    return stored.training.seed if stored is not None and stored.tunes else None
