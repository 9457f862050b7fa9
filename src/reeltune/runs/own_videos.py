"""Reads a person's videos as a model read the clips that it was trained on.

The recipe beside the weights says how that was: so many frames, or features of frames that a frozen
encoder read at a steady rate.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from reeltune.batches.loader import ClipReader, FrameReader
from reeltune.errors import DataError
from reeltune.features.shown_rows import rows_of_clip
from reeltune.features.store import Features
from reeltune.media.decoder import Decoder
from reeltune.media.sampling import Sampling
from reeltune.models.opening.trial import features_read
from reeltune.recipes.inputs import FromFeatures
from reeltune.recipes.recipe import Recipe
from reeltune.recipes.stored import stored_recipe
from reeltune.runs.encode_frames import encoded, encoded_video
from reeltune.runs.make_features import FeatureOptions
from reeltune.types import FrameEncoder, Pair


@dataclass(frozen=True)
class OwnVideos:
    """A reader of any videos, for one model, and what of its training is not known here."""

    reader: ClipReader
    notes: tuple[str, ...] = ()


def own_videos(model: Any, folder: Path) -> OwnVideos:
    """The reader for a model that was opened from `folder`.

    Errors: those of the model's encoder where it cannot read pictures.
    """
    recipe = stored_recipe(folder)
    if features_read(model) is None:
        return OwnVideos(FrameReader(model.pixels, _frames(model, recipe), None))
    read = FromFeatures() if recipe is None or recipe.features is None else recipe.features
    sampling, notes = _sampling(read)
    return OwnVideos(EncodedClips(model, sampling, read.at_most), notes)


def _frames(model: Any, recipe: Recipe | None) -> int:
    """As many as in training, or as many as the model says that it reads in each of its views, or
    as recipes read that say nothing."""
    if recipe is not None:
        return recipe.frames
    usual = Recipe.model_fields["frames"].default
    a_view = getattr(getattr(model, "config", None), "frames", usual)
    return int(a_view * getattr(model, "views", 1))


def _sampling(read: FromFeatures) -> tuple[Sampling, tuple[str, ...]]:
    """Which frames the features were made of; a sentence where that is not known."""
    usual = FeatureOptions(every=read.every).sampling
    if read.folder is None:
        return usual, ()
    try:
        found = Features(read.folder).making.sampling
    except DataError:
        found = ""
    if found:
        return Sampling.parse(found), ()
    return usual, (
        f"which frames the features in {read.folder} were made of is not known, so one is read "
        f"every {read.every:g} s",
    )


class EncodedClips:
    """A `ClipReader` of the features of a video's frames, as they would be stored for training.

    The features of the video that was read last are kept, for its moments.
    """

    def __init__(self, encoder: FrameEncoder, sampling: Sampling, frames: int | None) -> None:
        """Read a black picture; raises what the encoder raises where it cannot."""
        self._encoder, self._sampling, self._frames = encoder, sampling, frames
        side = encoder.pixels.size
        encoded(encoder, np.zeros((1, 3, side, side), np.uint8))
        self._path: Path | None = None
        self._features: Float[np.ndarray, "T F"] = np.empty((0, 0), np.float32)
        self._edges: Float[np.ndarray, " T1"] = np.empty(0)

    @property
    def policy(self) -> str:
        """Which frames are read."""
        return f"features {self._sampling}" + (f", at most {self._frames}" if self._frames else "")

    def read(self, pair: Pair) -> Float[np.ndarray, "T F"]:
        """Features of a clip, rounded as they are stored; raises DataError if there are none."""
        if pair.path != self._path:
            with Decoder(self._encoder.pixels, self._sampling) as decoder:
                features, edges = encoded_video(pair.path, self._encoder, decoder)
            self._features = features.astype(np.float16).astype(np.float32)
            self._path, self._edges = pair.path, np.array(edges)
        chosen = rows_of_clip(self._edges, pair, self._frames)
        if not len(chosen):
            raise DataError(
                f"{pair.path} has frames up to {self._edges[-1]:g} s, and asked for was the part "
                f"from {pair.start:g} s"
            )
        return self._features[chosen]
