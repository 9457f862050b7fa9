"""Results of trained Dual Encodings that need no more training: with weights at zero, with other
alphas.

Every result is a file that says which checkpoint it is of, so a second call measures nothing, and
one that was stopped goes on.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, get_args

import torch
from torch import Tensor

from reeltune.batches.in_order import gallery_of
from reeltune.batches.loader import ClipReader
from reeltune.compress.prune import Census, census, prune
from reeltune.data.splits.part import PARTS, read_if_any
from reeltune.errors import DataError
from reeltune.evaluation.protocols import Named
from reeltune.evaluation.retrieval import Report, retrieval_report
from reeltune.models.dual_encoding import DualEncoding, Extremes, Hybrid, Normalisation, load
from reeltune.recipes.recipe import Recipe
from reeltune.runs.finished import METRICS, hash_of
from reeltune.runs.inputs import without_faults
from reeltune.runs.place import RunPlace
from reeltune.runs.setup import source_of
from reeltune.storage.atomic_file import write_atomically
from reeltune.storage.settings_file import read_json
from reeltune.tasks.retrieval import encode_clips, encode_texts, evaluate
from reeltune.types import Split

BASELINE, PLUS, UNI = "dual-encoding", "dual-encoding-plus", "dual-encoding-plus-uni"
AMOUNTS = tuple(number / 10 for number in range(10))  # shares of weights at zero
ALPHAS = tuple(number / 10 for number in range(11))
NORMALISATIONS: tuple[Normalisation, ...] = get_args(Normalisation)


class Cut(NamedTuple):
    """A cut that sets a share of the prunable weights, or of weights and biases, to zero."""

    amount: float
    biases: bool = False

    def __str__(self) -> str:
        return f"{self.amount:g}" + ("-biases" if self.biases else "")


@dataclass(frozen=True)
class Pruned:
    """A checkpoint after a cut: how many weights are left, and its figures on test."""

    census: Census
    report: Report


Sums = dict[str, dict[str, list[float]]]  # normalisation -> "test t2v" -> SumR at each of ALPHAS


class HeldOut:
    """Validation and test of a recipe on stored features, read when first asked for."""

    def __init__(self, recipe: Recipe, place: RunPlace) -> None:
        self.recipe, self.place = recipe, place

    @cached_property
    def splits(self) -> dict[str, Split]:
        """The split by which ranges of scores are taken, then test; without clips that cannot be
        read.

        The former is training where there is no validation split, as in the runs.
        """
        by = "val" if "val" in self._all else "train"
        return {
            part: without_faults(self.reader, self._all[part], self.place) for part in (by, "test")
        }

    @property
    def ranged_by(self) -> str:
        """The split by which ranges of scores are taken."""
        return next(iter(self.splits))

    @cached_property
    def reader(self) -> ClipReader:
        """The features that the runs read, which are those of all three splits."""
        splits = list(self._all.values())
        source = source_of(self.recipe, self._options)
        return source.open(splits, lambda what: lambda done, of: None)

    @cached_property
    def _options(self) -> Any:
        return self.recipe.dataset_config(folder=self.place.data)

    @cached_property
    def _all(self) -> dict[str, Split]:
        found = {part: read_if_any(self._options, part) for part in PARTS}
        return {part: split for part, split in found.items() if split is not None}

    def report(self, model: Any, part: str, seed: int | None = None) -> Report:
        """Figures of a split."""
        asked = hash_of(self._all[part])
        named = Named(self.recipe.data_name, part, seed, self.recipe.v2t, asked)
        return evaluate(model, self.reader, self.splits[part], named)

    def vectors(self, model: Any, part: str) -> tuple[Tensor, Tensor]:
        """Vectors of every caption (Q, D), and of every video (N, D) in the order of the
        gallery."""
        pairs = self.splits[part].pairs
        texts = encode_texts(model, [pair.caption for pair in pairs])
        return texts, encode_clips(model, self.reader, gallery_of(pairs)[1])


def pruned(checkpoint: Path, cut: Cut, out: Path, held: HeldOut) -> Pruned:
    """A checkpoint pruned once, and not trained after it, as Dual Encoding++ was.

    Statistics of norms stay as they are. The ranges by which scores are normalised are no weights,
    and are taken anew of the validation split, or of training where there is none.
    """
    path, dense = out / f"{cut}.json", Report.read(checkpoint / METRICS)
    if (known := _stored(path, dense)) is not None:
        return Pruned(Census(**known["census"]), Report.from_dict(known["report"]))
    model = load(checkpoint)
    left = census(model, prune(model, cut.amount, biases=cut.biases))
    with suppress(DataError):  # all scores alike: the ranges of the checkpoint stay
        model.set_ranges(*held.vectors(model, held.ranged_by))
    report = held.report(model, "test", dense.protocol.seed)
    _store(path, dense, {"census": asdict(left), "report": report.as_dict()})
    return Pruned(left, report)


def alpha_sums(checkpoint: Path, out: Path, held: HeldOut) -> Sums:
    """SumR of a checkpoint on both splits, by every weight of the latent score.

    Ranges are those of the first of them, as in the checkpoint's own report.
    """
    path, dense = out / "alpha.json", Report.read(checkpoint / METRICS)
    if (known := _stored(path, dense)) is not None:
        return dict(known["sums"])
    model = load(checkpoint)
    found: Sums = {name: {} for name in NORMALISATIONS}
    extremes: tuple[Extremes, Extremes] | None = None
    for part in held.splits:
        texts, videos = held.vectors(model, part)
        extremes = extremes or _space(model).extremes(texts, videos)
        for name in NORMALISATIONS:
            divisors = [one.divisor(name) for one in extremes]
            for way, sums in _sums(model, (texts, videos), divisors, held, part).items():
                found[name][f"{part} {way}"] = sums
    _store(path, dense, {"sums": found})
    return found


def _sums(
    model: DualEncoding,
    vectors: tuple[Tensor, Tensor],
    divisors: Sequence[float],
    held: HeldOut,
    part: str,
) -> dict[str, list[float]]:
    """SumR at each of `ALPHAS`; two matrices of scores and their sum are in memory."""
    with torch.inference_mode():
        latent, concept = (_space(model, a).scores(*vectors, 1.0, 1.0) for a in (1.0, 0.0))
    pairs = held.splits[part].pairs
    card = held.report(model, part).protocol
    found: dict[str, list[float]] = {"t2v": [], "v2t": []}
    for alpha in ALPHAS:
        if alpha in (0, 1):  # a part alone is not divided: rounding would make ties of neighbours
            scores = latent if alpha else concept
        else:
            scores = latent * (alpha / divisors[0]) + concept * ((1 - alpha) / divisors[1])
        report = retrieval_report(scores.numpy(), pairs, gallery_of(pairs)[0], card)
        found["t2v"].append(report.t2v["SumR"])
        found["v2t"].append(report.v2t["SumR"])
    return found


def _space(model: DualEncoding, alpha: float = 0.5) -> Hybrid:
    if not model.config.concepts:
        raise DataError(
            f"{model.name} has no concepts, so there is no alpha to choose; take a checkpoint "
            "of the hybrid space"
        )
    return Hybrid(model.config.latent, alpha, model.config.normalisation)


def _stored(path: Path, dense: Report) -> dict[str, Any] | None:
    """The result that `_store` wrote for the same weights on the same test split, by the same
    rule."""
    if not path.is_file():
        return None
    fields: dict[str, Any] = read_json(path)
    return fields if fields["of"] == _named(dense) else None


def _store(path: Path, dense: Report, fields: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps({"of": _named(dense), **fields}).encode())


def _named(dense: Report) -> list[str]:
    return [dense.protocol.fingerprint, dense.protocol.split_hash, dense.protocol.v2t]
