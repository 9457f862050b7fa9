"""`reeltune prune`: a checkpoint with fewer weights, stored small, and what that cost.

Three ways that add up: hidden units are taken out (the model is smaller and faster), the smallest
weights become zero (the file is smaller), and the rest is rounded: to bfloat16 (smaller again), or
to int8, which layers then compute in wherever the model is opened on a CPU (smaller and faster).
"""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from reeltune.compress.pack import Values, pack
from reeltune.compress.prune import Census, Masks, apply_masks, global_l1, prunable
from reeltune.compress.report import Comparison, Row, latencies
from reeltune.compress.structured import choose, remove_units
from reeltune.compress.units import dual_encoding_units
from reeltune.data.splits.part import Part
from reeltune.errors import ConfigError
from reeltune.evaluation.report import AnyReport
from reeltune.evaluation.trivial import trivial
from reeltune.models.dual_encoding import DualEncoding
from reeltune.models.opening.open import open_model
from reeltune.models.opening.weights import CARD, ask_for_int8, read_tensors, wants_int8
from reeltune.models.univl import Univl
from reeltune.nn.packed import packed_name
from reeltune.recipes.read import Recipe
from reeltune.recipes.stored import RECIPE, stored_recipe
from reeltune.runs.evaluate import evaluate_opened
from reeltune.runs.finished import METRICS
from reeltune.runs.place import RunPlace
from reeltune.storage.outputs import new_folder
from reeltune.tasks.finding.judge import task_of
from reeltune.types import LeftOut

FRAMES = 12  # of the clip that is timed
TEXT = "a man plays the guitar on a stage, and people sing along"


@dataclass(frozen=True, kw_only=True)
class Amounts:
    """How much goes, and of what."""

    weights: float = 0.36  # share of prunable weights that become zero: 0.36 as in DE++
    units: float = 0.0  # share of hidden units that are taken out first
    biases: bool = False
    embeddings: bool = False
    values: Values = "float32"  # of what is left

    def __post_init__(self) -> None:
        for name in ("weights", "units"):
            if not 0 <= (share := getattr(self, name)) < 1:
                raise ConfigError(
                    f"the share of {name} to prune is {share:g}, and it is 0 or more and below 1; "
                    "give 0.36 for 36 %"
                )


@dataclass(frozen=True)
class Pruned:
    """What came out: a folder that opens as a model, its census, and both forms side by side."""

    folder: Path
    census: Census
    comparison: Comparison
    report: AnyReport | None = None  # of the smaller model, where the data are known

    def as_dict(self) -> dict[str, Any]:
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
    source, out = Path(checkpoint).expanduser(), place.out
    if os.path.realpath(out) == os.path.realpath(source):
        raise ConfigError(f"--out {out} is the checkpoint itself; give another folder")
    if (source / CARD).is_file() and wants_int8(source):
        raise ConfigError(f"{source} is in int8 already; prune the model that it was made of")
    recipe = stored_recipe(source)
    with new_folder(out) as folder:
        dense, model = _module(checkpoint), _module(checkpoint)
        if amounts.units:
            model = without_units(model, amounts.units)
        measure = partial(_report, source=source, recipe=recipe, place=place, split=split)
        before, size = measure(checkpoint, called=checkpoint), _stored_size(dense)
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
        times = latencies({"dense": _call(dense), "pruned": _call(_module(str(folder)))}, repeats)
        left = (_bytes(folder), census.parameters, census.nonzeros)
    told = partial(_main_figures, task_of(dense).main)
    rows = _row("dense", size, times, told(before)), _row("pruned", left, times, told(after))
    return Pruned(out, census, Comparison(rows), after)


def _report(
    name: str, called: str, source: Path, recipe: Recipe | None, place: RunPlace, split: Part
) -> AnyReport | None:
    """Figures on the data of the recipe, where there is one, under the name `called`."""
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
    if not isinstance(model, DualEncoding) or recipe is None:
        return {}
    return evaluate_opened(model, source, recipe, place, "val", settle=True).protocol.left_out


def without_units(model: nn.Module, amount: float) -> nn.Module:
    """The same kind of model with a share of its hidden units gone; it can be saved and opened."""
    if not isinstance(model, DualEncoding):
        raise ConfigError(
            f"hidden units can be taken out of dual-encoding alone, and this is a "
            f"{type(model).__name__}; leave --units out"
        )
    groups = dual_encoding_units(model.config)
    kept = choose(model, groups, amount)
    small = remove_units(model, groups, kept)
    sizes = {name.split()[-1]: len(units) for name, units in kept.items()}
    left = {"hidden": len(kept["text forward"]), "filters": sizes["filters"]}
    if model.config.video_hidden:
        left["video_hidden"] = len(kept["video forward"])
    smaller = model.config.model_copy(update=left).build(model.vocabulary)
    smaller.concept_names = model.concept_names
    smaller.load_state_dict(small.state_dict())
    return smaller.eval().requires_grad_(False)


def write_pruned(
    model: nn.Module,
    amounts: Amounts,
    out: Path,
    settle: Callable[[nn.Module], None] = lambda model: None,
) -> Census:
    """Prune a model in place, `settle` it, and save it with its weights packed."""
    save: Any = model
    save.save_pretrained(out)
    names = _names_of(model, _tensors_in(out))
    beside = dict(model.named_parameters()).keys() - set(names.values())
    if amounts.values == "int8" and beside:
        raise ConfigError(
            f"{type(model).__name__} stands on weights that its checkpoint does not store "
            f"({min(beside)}), and they stay in floats; leave --int8 out"
        )
    weights = prunable(model, biases=amounts.biases, embeddings=amounts.embeddings)
    stored = {name: weight for name, weight in weights.items() if name in names.values()}
    if not stored:
        raise ConfigError(
            f"{type(model).__name__} stores no linear, convolutional or recurrent weights here, "
            "so there is nothing to prune; prune the model that it stands on"
        )
    masks = global_l1(stored, amounts.weights)
    apply_masks(stored, masks)
    settle(model)
    save.save_pretrained(out)
    for path in _files(out):
        tensors = read_tensors(path)
        whole = tensors.keys() - _names_of(model, tensors).keys()  # statistics, not weights
        pack(packed_name(path), tensors, amounts.values, whole)
        path.unlink()
    if amounts.values == "int8":
        ask_for_int8(out)
    return _census(dict(model.named_parameters()), set(names.values()), masks)


def _census(weights: Mapping[str, Tensor], stored: set[str], masks: Masks) -> Census:
    return Census(
        parameters=sum(weights[name].numel() for name in stored),
        prunable=sum(mask.numel() for mask in masks.values()),
        zeros=sum(int((~mask).sum()) for mask in masks.values()),
    )


def _names_of(model: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """By stored name the parameter that a tensor is of: its name's end, shape and values agree.

    A component may store a part of itself, as `lite` does its head, under the names of that part.
    """
    found = {}
    weights = dict(model.named_parameters())
    for stored, tensor in tensors.items():
        for name, weight in weights.items():
            alike = f".{name}".endswith(f".{stored}") and weight.shape == tensor.shape
            if alike and torch.equal(weight.detach().cpu().to(tensor.dtype), tensor):
                found[stored] = name
                break
    return found


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


def _tensors_in(folder: Path) -> dict[str, Tensor]:
    return {name: t for path in _files(folder) for name, t in read_tensors(path).items()}


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in _files(folder))


def _stored_size(model: nn.Module) -> tuple[int, int, int]:
    """Bytes of the model as it is saved dense, and how many parameters that stores, twice."""
    save: Any = model
    with TemporaryDirectory() as name:
        folder = Path(name)
        save.save_pretrained(folder)
        names, weights = _names_of(model, _tensors_in(folder)), dict(model.named_parameters())
        count = sum(weights[name].numel() for name in set(names.values()))
        return _bytes(folder), count, count


def _main_figures(main: Mapping[str, str], report: AnyReport | None) -> dict[str, float]:
    """The main figures of a task as they are called, but for those that tell nothing."""
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
    model = open_model(name, "cpu")
    if not isinstance(model, nn.Module):
        raise ConfigError(f"{name} has no weights of its own to prune; give a trained model")
    return model


def _call(model: Any) -> Any:
    """Encodes one text and one clip of noise; stored features where a model reads these."""
    source = torch.Generator().manual_seed(0)
    mask, tokens = torch.ones(1, FRAMES, dtype=torch.bool), model.tokenize([TEXT])
    if isinstance(model, DualEncoding | Univl):
        clip = torch.rand(1, FRAMES, model.config.features, generator=source)
    else:
        shape = (1, FRAMES, 3, model.pixels.size, model.pixels.size)
        clip = torch.randint(0, 256, shape, dtype=torch.uint8, generator=source)

    @torch.inference_mode()
    def call() -> None:
        model.encode_text(tokens)
        model.encode_video(clip, mask)

    return call
