"""`reeltune prune`: a checkpoint with fewer weights, stored small, and what that cost.

Four ways that add up: hidden units are taken out (the model is smaller and faster), the smallest
weights become zero (the file is smaller), and the rest is rounded: to bfloat16 (smaller again), or
to int8, which layers then compute in wherever the model is opened on a CPU (smaller and faster).
A CLIP may merge alike tokens of a frame instead of reading all of them (faster).
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from reeltune.compress.prune import Census
from reeltune.compress.report import Comparison, Row, latencies
from reeltune.data.splits.part import Part
from reeltune.errors import ConfigError
from reeltune.evaluation.report import AnyReport
from reeltune.evaluation.trivial import trivial
from reeltune.models.clip import Clip
from reeltune.models.opening.open import load, open_model
from reeltune.models.opening.trial import features_read
from reeltune.models.opening.weights import CARD, read_card
from reeltune.recipes.recipe import Recipe
from reeltune.recipes.stored import RECIPE, stored_recipe
from reeltune.runs.evaluate import evaluate_opened
from reeltune.runs.fewer_units import without_units
from reeltune.runs.finished import METRICS
from reeltune.runs.place import RunPlace
from reeltune.runs.pruned_files import Amounts, bytes_in, stored_size, write_pruned
from reeltune.storage.home import from_home
from reeltune.storage.outputs import new_folder
from reeltune.tasks.finding.judge import task_of
from reeltune.tasks.retrieval import Ranged
from reeltune.types import LeftOut

FRAMES = 12  # of the clip that is timed
TEXT = "a man plays the guitar on a stage, and people sing along"


@dataclass(frozen=True)
class Pruned:
    """The result: a folder that opens as a model, its census, and both forms side by side."""

    folder: Path
    census: Census
    comparison: Comparison
    report: AnyReport | None = None  # of the smaller model, where the data are known

    def as_dict(self) -> dict[str, Any]:
        """What came out as plain data."""
        found = {"prunable": self.census.prunable, "zeros": self.census.zeros}
        card = self.report.as_dict()["protocol"] if self.report else None
        rows = self.comparison.as_dict()
        return {"folder": str(self.folder), **found, "rows": rows, "protocol": card}


def prune_checkpoint(
    checkpoint: str, amounts: Amounts, place: RunPlace, split: Part = "test", repeats: int = 9
) -> Pruned:
    """Prune the model called `checkpoint` into `place.out`, and measure both.

    Accuracy is measured where the checkpoint's folder has the recipe it was trained by. Weights
    that the checkpoint does not store, such as those of a frozen model beside it, are left alone.
    """
    source, out = from_home(checkpoint), place.out
    if os.path.realpath(out) == os.path.realpath(source):
        raise ConfigError(f"--out {out} is the checkpoint itself; give another folder")
    if (source / CARD).is_file() and read_card(source).is_int8:
        raise ConfigError(f"{source} is in int8 already; prune the model that it was made of")
    recipe = stored_recipe(source)
    if recipe is None and place.data is not None:
        raise ConfigError(
            f"{source} has no {RECIPE}, so nothing is measured and --data {place.data} is not "
            "read; leave it out"
        )
    with new_folder(out) as folder:
        dense, model = _module(checkpoint), _module(checkpoint)
        if amounts.units:
            model = without_units(model, amounts.units)
        if amounts.merge:
            _merge(model, checkpoint, amounts.merge)
        measure = partial(_report, source=source, recipe=recipe, place=place, split=split)
        before, size = measure(checkpoint, called=checkpoint), stored_size(dense)
        lacks: dict[str, tuple[LeftOut, ...]] = {}

        def settle(model: nn.Module) -> None:
            lacks.update(_settle(model, source, recipe, place))

        census = write_pruned(model, amounts, folder, settle)
        if recipe is not None:
            shutil.copy(source / RECIPE, folder / RECIPE)
        after = measure(str(folder), called=str(out))
        if after is not None:
            after = after.also_without(lacks)
            after.write(folder / METRICS)
        times = latencies({"before": _call(dense), "after": _call(_module(str(folder)))}, repeats)
        left = (bytes_in(folder), census.parameters, census.nonzeros)
    told = partial(_main_figures, task_of(dense).main)
    rows = _row("before", size, times, told(before)), _row("after", left, times, told(after))
    return Pruned(out, census, Comparison(rows), after)


def _merge(model: nn.Module, name: str, tokens: int) -> None:
    """Have a CLIP merge tokens; raises ConfigError for any other model."""
    if not isinstance(model, Clip):
        raise ConfigError(
            f"--merge merges tokens of a frame in a CLIP, and {name} is a {type(model).__name__}; "
            "leave it out, or give a CLIP such as openai/clip-vit-base-patch32"
        )
    model.merge(tokens)


def _report(
    name: str, called: str, source: Path, recipe: Recipe | None, place: RunPlace, split: Part
) -> AnyReport | None:
    """Figures on the data of the recipe, if there is one, under the name `called`."""
    if recipe is None:
        return None
    model = open_model(name, place.device)
    model.name = called
    return evaluate_opened(model, source, recipe, place, split)


def _settle(
    model: nn.Module, source: Path, recipe: Recipe | None, place: RunPlace
) -> dict[str, tuple[LeftOut, ...]]:
    """Store the ranges that the smaller model's scores have on the validation split; what that
    lacks comes back."""
    if not isinstance(model, Ranged) or recipe is None:
        return {}
    return evaluate_opened(model, source, recipe, place, "val", settle=True).protocol.left_out


def _main_figures(main: Mapping[str, str], report: AnyReport | None) -> dict[str, float]:
    """The main figures of a task by their names, without those that tell nothing."""
    if report is None:
        return {}
    values, silent = report.values(), trivial(report)
    return {called: values[name] for name, called in main.items() if name not in silent}


def _row(
    name: str,
    counts: tuple[int, int, int],
    times: Mapping[str, tuple[float, ...]],
    accuracy: Mapping[str, float],
) -> Row:
    size, parameters, nonzeros = counts
    return Row(
        name=name,
        size=size,
        parameters=parameters,
        nonzeros=nonzeros,
        milliseconds=times[name],
        accuracy=accuracy,
    )


def _module(name: str) -> nn.Module:
    model = load(name, "cpu")
    if not isinstance(model, nn.Module):
        raise ConfigError(f"{name} has no weights of its own to prune; give a trained model")
    return model


def _call(model: Any) -> Any:
    """Encodes one text and one clip of noise; scores them where a model makes no vectors, or names
    the class of the clip where it reads no text. The clip is stored features where it reads these.
    """
    source = torch.Generator().manual_seed(0)
    a_view = getattr(getattr(model, "config", None), "frames", FRAMES)
    frames = min(FRAMES, a_view * getattr(model, "views", 1))  # some models refuse more
    mask, tokens = torch.ones(1, frames, dtype=torch.bool), model.tokenize([TEXT])
    if (width := features_read(model)) is not None:
        clip = torch.rand(1, frames, width, generator=source)
    else:
        shape = (1, frames, 3, model.pixels.size, model.pixels.size)
        clip = torch.randint(0, 256, shape, dtype=torch.uint8, generator=source)

    @torch.inference_mode()
    def call() -> None:
        model.encode_text(tokens)
        model.encode_video(clip, mask)

    @torch.inference_mode()
    def score() -> None:
        model.align(model.read_text(tokens), model.read_video(clip, mask))

    @torch.inference_mode()
    def name() -> None:
        model.classify(model.read_video(clip, mask))

    if hasattr(model, "encode_text"):
        return call
    return score if hasattr(model, "align") else name
