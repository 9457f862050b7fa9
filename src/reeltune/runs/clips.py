"""Stored frame features, read in place of frames."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from reeltune.errors import DataError
from reeltune.features.index import Making
from reeltune.features.store import FeatureReader, Features, names_of
from reeltune.runs.feature_maker import Maker
from reeltune.types import Pair


class StoredClips:
    """A `ClipReader` over one folder of features, or one for each split."""

    def __init__(
        self,
        folders: Sequence[Path],
        frames: int | None,
        faults: Mapping[str, str] | None = None,
        made_by: str | None = None,
    ) -> None:
        """`faults` say by the path of a video why it gave no features; `made_by` is the name of the
        model that was just found to have made all others."""
        self._faults, self._made_by = faults or {}, made_by
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
        """The model that made the features of all folders."""
        features = self._readers[0].features
        return Maker(features.making, features.folder, self._made_by)

    @property
    def policy(self) -> str:
        """Which features are read, as a protocol card names it."""
        making = self.maker.making
        made = f"{Path(making.model).name} {making.sampling}" if making.model else "stored"
        return f"features {made}" + (f", at most {self._frames}" if self._frames else "")

    @property
    def width(self) -> int:
        """F, the width of the features."""
        return self._readers[0].features.width

    def read(self, pair: Pair) -> Float[np.ndarray, "T F"]:
        """Features of a clip; raises DataError if its video has none, with the reason if that is
        known."""
        if str(pair.path) in self._faults:
            raise DataError(self._faults[str(pair.path)])
        known = (r for r in self._readers if any(n in r.features for n in names_of(pair)))
        return next(known, self._readers[-1]).read(pair)  # the last one tells what it lacks


def _named(making: Making) -> str:
    return f"{making.model or 'an unknown model'} (fingerprint {making.fingerprint or 'unknown'})"
