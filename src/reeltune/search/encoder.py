"""The model of a library, for all who search it, index into it and compare with it."""

import threading
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, UInt8

from reeltune.errors import CheckpointError, ConfigError, LibraryError
from reeltune.models.opening.open import open_encoder
from reeltune.models.opening.width import cut_as_stored, cut_to, option_of
from reeltune.search._model_usual import keep_usual, usual_in
from reeltune.search._usual import Baseline, Usual
from reeltune.search.store.manifest import FILE_NAME, Manifest
from reeltune.settings.words import require_words
from reeltune.storage.place import Place
from reeltune.types import DualEncoder

AT_ONCE = 256  # texts encoded together, to bound memory


class Encoder:
    """A model that is opened when it is first needed. Any thread may ask it; it encodes for one of
    them at a time, because tokenizers, and models that load their weights late, are no safer."""

    def __init__(self, name: str, open_model: Callable[[], DualEncoder]) -> None:
        """`name` is that by which a library knows the model."""
        self.name, self._open_model = name, open_model
        self._lock = threading.RLock()
        self._model: DualEncoder | None = None
        self._baseline: Baseline | None = None
        self._usual: Usual | None = None

    @classmethod
    def of_library(cls, folder: Place, manifest: Manifest, device: str | None = None) -> "Encoder":
        """The model that a library names, which whoever made the library chose."""
        return cls(manifest.model, partial(_open_stored, folder, manifest, device))

    @classmethod
    def named(
        cls, name: str, device: str | None, width: int | None, stored: Manifest | None
    ) -> "Encoder":
        """The model `name`, whose vectors are cut to `width` if one is given, and else are as wide
        as in the stored library of this model."""
        kept = stored.dim if stored is not None and stored.model == name else None
        return cls(name, partial(_open_cut, name, device, width, kept))

    @property
    def model(self) -> DualEncoder:
        """The model itself.

        Raises CheckpointError, with the file that names it, if it cannot be opened, and
        LibraryError if it is not the one that made the library.
        """
        with self._lock:
            if self._model is None:
                self._model = self._open_model()
            return self._model

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> Float[np.ndarray, "N D"]:
        """Vectors of texts, all D columns; raises ConfigError for an empty one, and for one that is
        not UTF-8."""
        for text in texts:
            if not text.strip():
                raise ConfigError("the query is empty; describe what should be seen in the video")
            require_words("the query", text)
        model = self.model
        parts = [np.empty((0, model.dim), np.float32)]
        for at in range(0, len(texts), AT_ONCE):
            with self._lock:
                tokens = model.tokenize(texts[at : at + AT_ONCE])
                parts.append(model.encode_text(tokens).float().cpu().numpy())
        return np.concatenate(parts)

    @torch.inference_mode()
    def clip(self, frames: UInt8[np.ndarray, "T 3 S S"]) -> Float[np.ndarray, " D"]:
        """The vector of T frames that belong together, all D columns."""
        mask = torch.ones(1, len(frames), dtype=torch.bool)
        with self._lock:
            vector = self.model.encode_video(torch.from_numpy(frames)[None], mask)[0]
        return vector.float().cpu().numpy()

    @property
    def baseline(self) -> Baseline:
        """What moments are measured against before they are stored.

        A picture is encoded first, so that a model that reads only stored features, or cannot score
        single queries, says so before it has a library.
        """
        with self._lock:
            if self._baseline is None:
                _try_a_picture(self.model)
                self._baseline = Baseline.of_model(self.model)
            return self._baseline

    def usual_in(self, folder: Place) -> Usual:
        """What scores are usual for the model, as a library of it knows."""
        with self._lock:
            if self._usual is None:
                self._usual = usual_in(folder, self.model)
            return self._usual

    def keep_usual(self, folder: Place) -> None:
        """Leave in a library of the model what is usual for it, unless it is there."""
        with self._lock:
            keep_usual(folder, self.model)


def _open_cut(name: str, device: str | None, width: int | None, kept: int | None) -> DualEncoder:
    model = open_encoder(name, device=device)
    if width is not None:
        cut_to(model, width)
    elif kept is not None:
        cut_as_stored(model, kept)
    return model


def _open_stored(folder: Place, manifest: Manifest, device: str | None) -> DualEncoder:
    try:
        model = _open_cut(manifest.model, device, None, manifest.dim)
    except CheckpointError as error:
        raise CheckpointError(f"{folder / FILE_NAME}: {error}") from error
    if model.fingerprint != manifest.fingerprint:
        raise LibraryError(
            f"{folder} was made with model {manifest.model} of fingerprint "
            f"{manifest.fingerprint}, here it is {model.fingerprint}; get the former weights, or "
            f"read its videos again: reeltune library reindex {folder} --model {manifest.model}"
            f"{option_of(model)}"
        )
    return model


@torch.inference_mode()
def _try_a_picture(model: DualEncoder) -> None:
    side = model.pixels.size
    picture = torch.zeros(1, 1, 3, side, side, dtype=torch.uint8)
    video = model.encode_video(picture, torch.ones(1, 1, dtype=torch.bool))
    model.similarity(video, video)
