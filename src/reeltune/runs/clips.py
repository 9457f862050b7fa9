"""Stored frame features in place of frames: where they come from.

Features lie in a folder of the dataset or of the user; or they are made, once, from the videos by
the model's own encoder, and kept in the cache.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from jaxtyping import Float

from reeltune.data.splits.part import PARTS
from reeltune.errors import ConfigError, DataError
from reeltune.features.index import Making
from reeltune.features.store import FeatureReader, Features, names_of
from reeltune.models.opening.open import open_model
from reeltune.recipes.read import FromFeatures, Recipe
from reeltune.runs.feature_maker import Maker
from reeltune.runs.make_features import Wish, make_features
from reeltune.storage.cache import cache_folder
from reeltune.types import Pair, Split

FEATURES = "features"  # below the cache folder
Said = Callable[[str], Callable[[int, int], None]]


class StoredClips:
    """A `ClipReader` over one folder of features, or one for each split."""

    def __init__(
        self, folders: Sequence[Path], frames: int | None, faults: Mapping[str, str] | None = None
    ) -> None:
        self._faults = faults or {}  # path of a video -> why it gave no features
        self._readers = [FeatureReader(Features(f), frames) for f in dict.fromkeys(folders)]
        self._frames = frames
        first, *others = (reader.features for reader in self._readers)
        for other in others:
            if other.making.fingerprint != first.making.fingerprint:
                raise DataError(
                    f"{first.folder} has features of {_named(first.making)}, and {other.folder} of "
                    f"{_named(other.making)}; make those of all splits by one model"
                )

    def __enter__(self) -> "StoredClips":
        return self

    def __exit__(self, *_: object) -> None: ...

    @property
    def maker(self) -> Maker:
        features = self._readers[0].features
        return Maker(features.making, features.folder)

    @property
    def policy(self) -> str:
        making = self.maker.making
        made = f"{Path(making.model).name} {making.sampling}" if making.model else "stored"
        return f"features {made}" + (f", at most {self._frames}" if self._frames else "")

    @property
    def width(self) -> int:
        """F, the width of the features."""
        return self._readers[0].features.width

    def read(self, pair: Pair) -> Float[np.ndarray, "T F"]:
        """Raises DataError for a video without features, with the reason where that is known."""
        if str(pair.path) in self._faults:
            raise DataError(self._faults[str(pair.path)])
        known = (r for r in self._readers if any(n in r.features for n in names_of(pair)))
        return next(known, self._readers[-1]).read(pair)  # the last one tells what it lacks


def _named(making: Making) -> str:
    return f"{making.model or 'an unknown model'} (fingerprint {making.fingerprint or 'unknown'})"


def stored_clips(recipe: Recipe, options: Any, splits: Sequence[Split], said: Said) -> StoredClips:
    """Features of all splits, made first where there are none yet."""
    wanted = _wanted(recipe)
    if (there := clips_there(recipe, options)) is not None:
        return there
    paths = sorted({str(pair.path) for split in splits for pair in split.pairs})
    return made_clips(paths, recipe, wanted, said)


def clips_there(recipe: Recipe, options: Any) -> StoredClips | None:
    """Features in the folder that the recipe names, or the dataset's own; none if neither is."""
    wanted = _wanted(recipe)
    if wanted.folder is not None:
        return StoredClips([wanted.folder], wanted.at_most)
    own = [options.features(p) for p in PARTS] if hasattr(options, "features") else []
    return StoredClips(own, wanted.at_most) if own and all(own) else None


def _wanted(recipe: Recipe) -> FromFeatures:
    if recipe.features is None:
        raise ConfigError(f"recipe {recipe.name} has no features; give --set features.every=0.5")
    return recipe.features


def made_clips(
    paths: Sequence[str], recipe: Recipe, wanted: FromFeatures, said: Said
) -> StoredClips:
    """Features of the videos by the model's encoder, in the cache; made at the first asking."""
    encoder = recipe.config.get("encoder")
    if encoder is None:
        raise ConfigError(
            f"recipe {recipe.name} names no encoder, and no folder of features; "
            "give --set config.encoder=lite, or --set features.folder=OUT of `reeltune features`"
        )
    names = {Path(path).stem for path in paths}
    if len(names) < len(paths):
        raise DataError(
            f"{len(paths)} videos have {len(names)} names, so their features would be confused; "
            "make them by `reeltune features FOLDER --out OUT`, and give --set features.folder=OUT"
        )
    rule = str(Wish(every=wanted.every).sampling)
    named = "\n".join([encoder, open_model(encoder).fingerprint, rule, *paths])
    key = hashlib.blake2b(named.encode(), digest_size=8).hexdigest()
    out = cache_folder() / FEATURES / key
    out.parent.mkdir(parents=True, exist_ok=True)
    # Two runs of one table may ask at once; a folder cannot be opened while a writer looks
    # whether anything is missing in it.
    with FileLock(out.with_suffix(".lock")):
        report = make_features(paths, encoder, out, Wish(every=wanted.every), Megabytes(said))
        if report.interrupted:
            raise KeyboardInterrupt
        if report.faults and not report.rows:
            path, reason = next(iter(report.faults.items()))
            raise DataError(f"no video gave features; the first is {path}: {reason}")
        return StoredClips([out], wanted.at_most, report.faults)


class Megabytes:
    """Progress of making features, told as a run tells of its preparations."""

    def __init__(self, said: Said) -> None:
        self._tell, self._total, self._done = said("encoding frames, MB"), 0, 0

    def begin(self, files: int, size: int) -> None:
        self._total = size

    def advance(self, path: str, size: int) -> None:
        self._done += size
        self._tell(self._done >> 20, self._total >> 20)
