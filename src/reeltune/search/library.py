"""A library: a folder with a Lance table of moments and a small manifest. Opened for reading."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from reeltune.errors import ConfigError, LibraryError
from reeltune.media.decoder import Decoder, Frame
from reeltune.media.sampling import Sampling
from reeltune.search._rescore import score_of
from reeltune.search._stored_model import open_stored
from reeltune.search.query import Ask, Sort, answer
from reeltune.search.store import table as _table
from reeltune.search.store.gallery import Gallery, thumbnails
from reeltune.search.store.manifest import Manifest
from reeltune.settings.words import require_words
from reeltune.types import DualEncoder, Hit

QUERY_SAMPLING = "uniform 12"  # frames of a video that is itself a query


class Library:
    """Moments of videos, to be searched with words, pictures or videos.

    A snapshot is held in memory and refreshed when a writer has committed, so one object may
    serve many queries while an index run is going on.
    """

    def __init__(self, folder: str | Path, device: str | None = None) -> None:
        """Open a library; raises LibraryError if there is none or it cannot be read."""
        self.folder = Path(folder)
        self.manifest = Manifest.read(self.folder)
        self._device = device
        self._gallery: Gallery | None = None

    @cached_property
    def model(self) -> DualEncoder:
        """The model that made the vectors; raises LibraryError if it is not the same any more."""
        model = open_stored(self.folder, self.manifest, self._device)
        if model.fingerprint != self.manifest.fingerprint:
            raise LibraryError(
                f"{self.folder} was made with model {self.manifest.model} of fingerprint "
                f"{self.manifest.fingerprint}, here it is {model.fingerprint}; get the former "
                f"weights, or index again: reeltune index VIDEOS --library NEW "
                f"--model {self.manifest.model}"
            )
        return model

    @property
    def gallery(self) -> Gallery:
        """All moments of the newest version."""
        table = _table.open_table(self.folder)
        if self._gallery is None or self._gallery.version != table.version:
            self._gallery = Gallery.read(table)
        return self._gallery

    def prepare(self) -> None:
        """Open the model and the newest version now, so that the first search does not wait."""
        _ = self.model, self.gallery

    def search(
        self,
        text: str | None = None,
        *,
        image: str | Path | None = None,
        video: str | Path | None = None,
        k: int = 10,
        where: str | None = None,
        fold: bool = True,
        min_confidence: float = 0.0,
        sort: Sort = "match",
    ) -> list[Hit]:
        """Moments that best match one query, best first, or of these the newest first.

        The best moment of each video comes before second ones, `where` filters as in
        `duration > 60 and path like '%beach%'`, and `fold` shows near-duplicates once. Moments
        that are less sure than `min_confidence` (0 to 1) are left out. `sort="date"` shows the
        same `k` moments by the date on which they were taken, or else their files last changed.
        A model with a score of its own puts what a text finds in order by that; pictures and
        videos are compared by the cosine, as its score weighs texts against moments.

        Raises ConfigError unless exactly one of `text`, `image`, `video` is given, and DataError
        if the picture or video cannot be read.
        """
        given = [text is not None, image is not None, video is not None]
        if sum(given) != 1:
            raise ConfigError(
                f"a search takes one query, got {sum(given)}; give a text, an image or a video"
            )
        ask = Ask(k=k, where=where, fold=fold, min_confidence=min_confidence, sort=sort)
        if text is not None:
            whole = self._whole_text(text)
            own = score_of(self.model, whole) if self.manifest.indexed else None
            return answer(self.gallery, whole[: self.manifest.width], ask, own=own)
        frames = [_picture(self.model, image)] if image else _frames(self.model, video)
        return answer(self.gallery, self.embed_frames(frames), ask, kind="video")

    def thumbnails(self, ids: Sequence[str]) -> dict[str, bytes]:
        """Small pictures (JPEG) of moments, by the ids of their hits."""
        return thumbnails(_table.open_table(self.folder), ids)

    def embed_text(self, text: str) -> Float[np.ndarray, " D"]:
        """Unit vector of a text."""
        return self._whole_text(text)[: self.manifest.width]

    @torch.inference_mode()
    def _whole_text(self, text: str) -> Float[np.ndarray, " D"]:
        if not text.strip():
            raise ConfigError("the query is empty; describe what should be seen in the video")
        require_words("the query", text)
        vector = self.model.encode_text(self.model.tokenize([text]))
        return vector[0].float().cpu().numpy()

    @torch.inference_mode()
    def embed_frames(self, frames: list[Frame]) -> Float[np.ndarray, " D"]:
        """Unit vector of a picture (one frame) or a clip."""
        stacked = torch.stack([torch.from_numpy(frame.pixels) for frame in frames])
        mask = torch.ones(1, len(frames), dtype=torch.bool)
        vector = self.model.encode_video(stacked[None], mask)[0, : self.manifest.width]
        return vector.float().cpu().numpy()


def _picture(model: DualEncoder, path: str | Path) -> Frame:
    with Decoder(model.pixels) as decoder:
        return decoder.image(Path(path))


def _frames(model: DualEncoder, path: str | Path | None) -> list[Frame]:
    sampling = Sampling.parse(QUERY_SAMPLING)
    with Decoder(model.pixels, sampling) as decoder, decoder.open(Path(path or "")) as reading:
        return list(reading)
