"""Converts a released Dual Encoding: its weights, its words and the ranges of its scores."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reeltune.data import hybrid_space
from reeltune.data.splits.part import PARTS
from reeltune.errors import CheckpointError, ConfigError
from reeltune.evaluation.left_out import sentences
from reeltune.evaluation.report import AnyReport
from reeltune.features.concepts import read_names
from reeltune.models.dual_encoding import DualEncoding
from reeltune.models.released.dual_encoding import convert
from reeltune.models.released.dual_encoding_file import Released, read_released
from reeltune.models.released.dual_encoding_words import read_official
from reeltune.recipes.inputs import FromFeatures
from reeltune.recipes.recipe import Recipe
from reeltune.runs.evaluate import evaluate_opened
from reeltune.runs.place import RunPlace

WORDS, BAG = "rnn", "bow"  # folders of the two vocabularies


@dataclass(frozen=True)
class ConvertedDualEncoding:
    """The model, and its figures on the validation split if that was given."""

    model: DualEncoding
    validation: AnyReport | None
    best: float | None  # SumR by which the release chose these weights

    def facts(self) -> dict[str, object]:
        """Facts that the command prints."""
        sizes = ("words", "features", "feature", "latent", "concepts")
        facts: dict[str, object] = {"weights": len(self.model.state_dict())}
        facts |= {name: getattr(self.model.config, name) for name in sizes}
        facts["concepts with a name"] = len(self.model.concept_names)
        if self.validation is None:
            return facts
        total = self.validation.values()["SumR"]
        lacks = sentences(self.validation.protocol.left_out)
        return facts | {"validation SumR": total, "SumR in the file": self.best, "notes": lacks}


def bring_in(
    source: Path, words: Path | None, bag: Path | None, data: Path | None, encoder: str | None
) -> ConvertedDualEncoding:
    """The model in a released file.

    `data` is the root of the folders that it was trained from: its vocabularies are taken from
    there, and the ranges of its scores settled on its validation split.
    Errors: `ConfigError`, `CheckpointError` or `DataError` says what is missing or does not fit.
    """
    released = read_released(source)
    if data is not None:
        words = words or _vocabulary(released, data, WORDS)
        bag = bag or _vocabulary(released, data, BAG)
    if words is None:
        raise ConfigError(
            "the words that it was trained with are needed; give --words "
            "ROOT/COLLECTION/TextData/vocabulary/rnn/word_vocab_5.pkl, or --data ROOT"
        )
    model = convert(released, read_official(words), read_official(bag) if bag else None, encoder)
    model.name = str(source)
    if data is not None:
        model.concept_names = _concept_names(released, data, model.config.concepts)
    report = _settled(model, released, data) if data is not None else None
    return ConvertedDualEncoding(model, report, released.best)


def _settled(model: DualEncoding, released: Released, data: Path) -> AnyReport:
    """Figures on the validation split, on which the ranges of single scores are taken."""
    folders = collections(released)
    same = len(set(folders.values())) == 1
    options = {"collection": folders["val"]} if same else dict(folders)
    recipe = Recipe(
        name=released.path.name,
        dataset="hybrid-space",
        options={**options, "feature": model.config.feature},
        features=FromFeatures(),
        component="dual-encoding",
        v2t="any",
    )
    place = RunPlace(out=data, data=data)
    return evaluate_opened(model, released.path, recipe, place, "val", settle=True)


def _concept_names(released: Released, data: Path, size: int) -> tuple[str, ...]:
    """Names of the concepts, if the collection has a list of exactly as many."""
    options = hybrid_space.Config(folder=data, collection=collections(released)["train"])
    _, path = options.tags(size)
    names = read_names(path) if size and path.is_file() else []
    return tuple(names) if len(names) == size else ()


def _vocabulary(released: Released, data: Path, kind: str) -> Path:
    name = released.options.get("vocab", "word_vocab_5")
    below = data / collections(released)["train"] / "TextData" / "vocabulary" / kind
    return below / f"{name}.pkl"


def collections(released: Released) -> dict[str, str]:
    """Folders of the three splits below the root, as the options name them."""
    options = released.options
    found = options.get("collections_pathname")
    if not isinstance(found, Mapping):
        found = {part: options.get(f"{part}Collection") for part in PARTS}
    if not all(isinstance(found.get(part), str) for part in PARTS):
        raise CheckpointError(
            f"the options in {released.path} do not name its collections "
            "(collections_pathname), so its files cannot be found below --data; leave --data out, "
            "and give --words and --bag"
        )
    return {part: str(found[part]) for part in PARTS}
