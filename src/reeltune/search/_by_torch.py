"""What a library's model does by torch: it is opened, and encodes texts and clips."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8

from reeltune.errors import CheckpointError, LibraryError
from reeltune.models.opening.open import open_encoder
from reeltune.models.opening.width import cut_as_stored, cut_to, option_of
from reeltune.search.store.manifest import FILE_NAME, Manifest
from reeltune.storage.place import Place
from reeltune.types import DualEncoder

AT_ONCE = 256  # texts encoded together, to bound memory


def open_cut(name: str, device: str | None, width: int | None, kept: int | None) -> DualEncoder:
    """The model `name`, whose vectors are cut to `width`, or else are as wide as those kept."""
    model = open_encoder(name, device=device)
    if width is not None:
        cut_to(model, width)
    elif kept is not None:
        cut_as_stored(model, kept)
    return model


def open_stored(folder: Place, manifest: Manifest, device: str | None) -> DualEncoder:
    """The model of a library; raises CheckpointError with the file that names it where it cannot be
    opened, and LibraryError where it is not the one that made the library."""
    try:
        model = open_cut(manifest.model, device, None, manifest.dim)
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
def vectors_of(model: DualEncoder, texts: Sequence[str]) -> Float[np.ndarray, "N D"]:
    """Vectors of texts."""
    parts = [np.empty((0, model.dim), np.float32)]
    for at in range(0, len(texts), AT_ONCE):
        tokens = model.tokenize(texts[at : at + AT_ONCE])
        parts.append(model.encode_text(tokens).float().cpu().numpy())
    return np.concatenate(parts)


@torch.inference_mode()
def vector_of(model: DualEncoder, frames: UInt8[np.ndarray, "T 3 S S"]) -> Float[np.ndarray, " D"]:
    """The vector of T frames that belong together."""
    mask = torch.ones(1, len(frames), dtype=torch.bool)
    return model.encode_video(torch.from_numpy(frames)[None], mask)[0].float().cpu().numpy()


@torch.inference_mode()
def try_a_picture(model: DualEncoder) -> None:
    """Encode a picture and score it, so that a model that cannot says so."""
    side = model.pixels.size
    picture = torch.zeros(1, 1, 3, side, side, dtype=torch.uint8)
    video = model.encode_video(picture, torch.ones(1, 1, dtype=torch.bool))
    model.similarity(video, video)
