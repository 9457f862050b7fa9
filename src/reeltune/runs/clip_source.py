"""Finds the stored features of a run, in a folder, in their dataset, or from the model's encoder.

Those that an encoder makes are made once, and kept in the cache.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from filelock import FileLock

from reeltune.data.splits.part import PARTS, Part
from reeltune.errors import ConfigError, DataError, counted
from reeltune.runs.clips import StoredClips
from reeltune.runs.make_features import FeatureOptions, make_features, open_frame_encoder
from reeltune.storage.cache import cache_folder
from reeltune.types import FrameEncoder, Split

FEATURES = "features"  # below the cache folder
ProgressOf = Callable[[str], Callable[[int, int], None]]  # what is done -> done so far, and in all


@runtime_checkable
class KeepsFeatures(Protocol):
    """Settings of a dataset that has a place for the features of each split."""

    def features(self, split: Part) -> Path | None:
        """The folder of features of a split; None if there is none."""
        ...


@dataclass(frozen=True, kw_only=True)
class ClipSource:
    """The first source that exists:

    `folder`, the dataset's own features, or what `encoder` makes.
    """

    title: str  # what messages call it, such as "recipe toybox/univl"
    dataset: object
    encoder: str | None = None
    folder: Path | None = None
    every: float = 0.5  # s between frames, where they are made
    at_most: int | None = None  # frames that are read of a clip; None: all

    def open(self, splits: Sequence[Split], progress: ProgressOf) -> StoredClips:
        """Features of all splits, made first where there are none yet."""
        if (there := self.there()) is not None:
            return there
        return self.make(sorted({str(p.path) for split in splits for p in split.pairs}), progress)

    def there(self) -> StoredClips | None:
        """Features in the folder, or the dataset's own; None if neither exists."""
        if self.folder is not None:
            return StoredClips([self.folder], self.at_most)
        if not isinstance(self.dataset, KeepsFeatures):
            return None
        own = [folder for part in PARTS if (folder := self.dataset.features(part))]
        return StoredClips(own, self.at_most) if len(own) == len(PARTS) else None

    def make(self, paths: Sequence[str], progress: ProgressOf) -> StoredClips:
        """Features of the videos by the encoder, in the cache; the first call makes them."""
        if self.encoder is None:
            raise ConfigError(
                f"{self.title} names no encoder, and no folder of features; give "
                "--set config.encoder=lite, or --set features.folder=OUT of `reeltune features`"
            )
        encoder, options = open_frame_encoder(self.encoder), FeatureOptions(every=self.every)
        out = self._cached(encoder, paths)
        # Two runs of one table may ask at once; a folder cannot be opened while a writer looks
        # whether anything is missing in it.
        with FileLock(out.with_suffix(".lock")):
            report = make_features(paths, self.encoder, out, options, Megabytes(progress), encoder)
            if report.interrupted:
                raise KeyboardInterrupt
            if report.faults and not report.rows:
                path, reason = next(iter(report.faults.items()))
                raise DataError(f"no video gave features; the first is {path}: {reason}")
            return StoredClips([out], self.at_most, report.faults, made_by=self.encoder)

    def _cached(self, encoder: FrameEncoder, paths: Sequence[str]) -> Path:
        """The folder of features of these videos by these weights; DataError for equal names."""
        names = {Path(path).stem for path in paths}
        if len(names) < len(paths):
            raise DataError(
                f"{len(paths)} videos have {counted(len(names), 'name')}, so their features would "
                "be confused; make them by `reeltune features FOLDER --out OUT`, and give "
                "--set features.folder=OUT"
            )
        rule = str(FeatureOptions(every=self.every).sampling)
        named = "\n".join([str(self.encoder), encoder.fingerprint, rule, *paths])
        key = hashlib.blake2b(named.encode(), digest_size=8).hexdigest()
        out = cache_folder() / FEATURES / key
        out.parent.mkdir(parents=True, exist_ok=True)
        return out


class Megabytes:
    """Progress of making features, reported as a run reports its preparations."""

    def __init__(self, progress: ProgressOf) -> None:
        self._tell, self._total, self._done = progress("encoding frames, MB"), 0, 0

    def begin(self, files: int, size: int, work: str = "") -> None:
        """Start with `size` bytes to do."""
        self._total = size

    def advance(self, path: str, size: int) -> None:
        """Tell that `size` bytes more are done."""
        self._done += size
        self._tell(self._done >> 20, self._total >> 20)

    def recognise(self, path: str, done: int, size: int) -> None:
        """Nothing to report: runs read clips, which are short."""
