"""The model of a library, for all who search it, index into it and compare with it.

It is opened by torch, which takes seconds. A few words are read without it where the user's cache
knows the model that the library names (see `models.text_towers`), and all is where that was
exported (see `models.exported`).
"""

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8
from safetensors import SafetensorError

from reeltune.errors import CheckpointError, ConfigError, LibraryError, in_shell
from reeltune.media.words import require_words
from reeltune.models.exported.card import exported_folder
from reeltune.models.text_towers.known import Known, TextTower, stored
from reeltune.models.text_towers.recent import Recent
from reeltune.models.text_towers.together import HEAVY
from reeltune.records import Precision
from reeltune.search._array_encoder import ArrayEncoder
from reeltune.search._kept_usual import kept_usual
from reeltune.search._usual import Baseline, Usual
from reeltune.search.store.manifest import FILE_NAME, Manifest
from reeltune.storage.place import Place

if TYPE_CHECKING:
    from reeltune.types import DualEncoder

FEW = 32  # texts that a tower in numpy reads; many are faster in torch
MESSAGES = logging.getLogger(__name__)


class Encoder:
    """A model that is opened when it is first needed. Any thread may ask it; it encodes for one of
    them at a time, because tokenizers, and models that load their weights late, are no safer."""

    def __init__(
        self,
        name: str,
        open_model: Callable[[], ArrayEncoder],
        open_tower: Callable[[], TextTower | None] = lambda: None,
        precision: Precision | None = "float32",
        has_made: Callable[[Manifest], bool] = lambda manifest: False,
    ) -> None:
        """`name` is that by which a library knows the model, `open_tower` opens what reads its
        texts without torch, where there is that, and `precision` is that in which it reads frames;
        None: the one that is measured to be the best here.

        `has_made` says whether the model is known to have made a library, before it is opened."""
        self.name, self._open_model, self._open_tower = name, open_model, open_tower
        self.has_made = has_made
        self._precision, self._said = precision, ""
        self._lock = threading.RLock()
        self._arrays: ArrayEncoder | None = None
        self._read: Recent | None = None  # by the tower
        self._has_looked = False  # for a tower
        self._baseline: Baseline | None = None
        self._usual: Usual | None = None

    @classmethod
    def of_library(cls, folder: Place, manifest: Manifest, device: str | None = None) -> "Encoder":
        """The model that a library names, which whoever made the library chose."""
        tower = partial(_tower_of, manifest) if device in (None, "cpu") else lambda: None
        opened = partial(_open_stored, folder, manifest, device)
        return cls(manifest.model, opened, tower, manifest.precision, _is_known_to_have_made)

    @classmethod
    def named(
        cls, name: str, device: str | None, width: int | None, stored: Manifest | None
    ) -> "Encoder":
        """The model `name`, whose vectors are cut to `width` if one is given, and else are as wide
        as in the stored library of this model; it reads frames in the precision of that."""
        if stored is None or stored.model != name:
            return cls(name, partial(_open_cut, name, device, width, None), precision=None)
        opened = partial(_open_cut, name, device, width, stored.dim)
        return cls(name, opened, precision=stored.precision)

    @property
    def arrays(self) -> ArrayEncoder:
        """The model, as arrays ask it.

        Raises CheckpointError, with the file that names it, if it cannot be opened, and
        LibraryError if it is not the one that made the library.
        """
        with self._lock:
            if self._arrays is None:
                opened = self._open_model()
                if exported_folder(self.name) is None:
                    opened, self._precision, self._said = _in_precision(opened, self._precision)
                self._arrays = opened
            return self._arrays

    @property
    def model(self) -> "DualEncoder":
        """The model, as torch asks it; raises as `arrays` does."""
        return self.arrays.model

    @property
    def precision(self) -> tuple[Precision, str]:
        """The precision in which frames are read, and a sentence about it if there is one; opens
        the model."""
        _ = self.arrays
        return self._precision or "float32", self._said

    def prepare(self) -> None:
        """Open what reads texts; raises as `model` does."""
        with self._lock:
            if not self._has_looked and self._arrays is None:
                tower, self._has_looked = self._open_tower(), True
                self._read = None if tower is None else Recent(tower.read, HEAVY)
                MESSAGES.debug("words are read %s torch", "by" if tower is None else "without")
        if self._read is None:
            _ = self.arrays

    def texts(self, texts: Sequence[str]) -> Float[np.ndarray, "N D"]:
        """Vectors of texts, all D columns; raises ConfigError for an empty one, and for one that is
        not UTF-8."""
        for text in texts:
            if not text.strip():
                raise ConfigError("the query is empty; describe what should be seen in the video")
            require_words("the query", text)
        self.prepare()
        if self._read is not None and 0 < len(texts) <= FEW:
            return self._read(texts)
        with self._lock:
            return self.arrays.texts(texts)

    def clip(self, frames: UInt8[np.ndarray, "T 3 S S"]) -> Float[np.ndarray, " D"]:
        """The vector of T frames that belong together, all D columns."""
        with self._lock:
            return self.arrays.clips([self.arrays.rows(frames)])[0]

    @property
    def baseline(self) -> Baseline:
        """What moments are measured against before they are stored.

        A picture is encoded first, so that a model that reads only stored features, or cannot score
        single queries, says so before it has a library.
        """
        with self._lock:
            if self._baseline is None:
                self.arrays.try_a_picture()
                self._baseline = Baseline.of_model(self.arrays)
            return self._baseline

    def usual_in(self, folder: Place, fingerprint: str) -> Usual:
        """What scores are usual for the model, which has this fingerprint, as a library of it
        knows; it is measured anew where the library does not."""
        with self._lock:
            if self._usual is None:
                self._usual = kept_usual(folder, fingerprint)
            if self._usual is None:
                from reeltune.search._model_usual import usual_of

                self._usual = usual_of(self.arrays, self._baseline)
            return self._usual

    def keep_usual(self, folder: Place, fingerprint: str) -> None:
        """Leave in a library of the model, which has this fingerprint, what is usual for it, unless
        it is there."""
        with self._lock:
            if kept_usual(folder, fingerprint) is None:
                from reeltune.search._model_usual import keep_usual

                keep_usual(folder, self.arrays, self._baseline)


def _tower_of(manifest: Manifest) -> TextTower | None:
    """What reads texts as the model of a library, if the model's files are those that it was made
    of; None where it must be opened whole."""
    known = _known(manifest)
    try:
        return None if known is None else known.opened()
    except (SafetensorError, OSError, ValueError, KeyError):
        return None  # of a file in the cache that is damaged


def _is_known_to_have_made(manifest: Manifest) -> bool:
    """Whether the files of a library's model are those that it was made of, as the user's cache
    knows of some models."""
    return _known(manifest) is not None


def _known(manifest: Manifest) -> Known | None:
    """What the user's cache knows of the model of a library, if its files are as they were then."""
    known = stored(manifest.model, manifest.fingerprint)
    return known if known and known.dim == manifest.dim and known.is_current() else None


def _open_cut(name: str, device: str | None, width: int | None, kept: int | None) -> ArrayEncoder:
    """The model `name`, whose vectors are cut to `width`, or else are as wide as those kept."""
    if (folder := exported_folder(name)) is not None:
        from reeltune.models.exported.towers import open_exported

        if width is not None:
            raise ConfigError(
                f"--width is {width}, and the vectors of {name}, an exported model, are not cut; "
                "leave --width out"
            )
        return open_exported(folder, name, device)
    from reeltune.models.text_towers.remember import remember
    from reeltune.search._by_torch import open_cut

    opened = open_cut(name, device, width, kept)
    remember(name, opened.model)
    return opened


def _in_precision(
    opened: ArrayEncoder, kept: Precision | None
) -> tuple[ArrayEncoder, Precision, str]:
    """A model of torch in the precision that is kept, or in the best; which, and why."""
    from reeltune.models.opening.precision import in_precision
    from reeltune.search._by_torch import ByTorch, some_pictures

    chosen = in_precision(opened.model, kept, some_pictures)
    return ByTorch(chosen.model), chosen.precision, chosen.said


def _open_stored(folder: Place, manifest: Manifest, device: str | None) -> ArrayEncoder:
    """The model of a library; raises CheckpointError with the file that names it where it cannot be
    opened, and LibraryError where it is not the one that made the library."""
    try:
        model = _open_cut(manifest.model, device, None, manifest.dim)
        fingerprint = model.fingerprint
    except CheckpointError as error:
        raise CheckpointError(f"{folder / FILE_NAME}: {error}") from error
    if fingerprint != manifest.fingerprint:
        raise LibraryError(
            f"{folder} was made with model {manifest.model} of fingerprint "
            f"{manifest.fingerprint}, here it is {fingerprint}; get the former weights, or "
            f"read its videos again: reeltune library reindex {in_shell(folder)} "
            f"--model {in_shell(manifest.model)}"
            f"{model.option}"
        )
    return model
