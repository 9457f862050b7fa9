"""What scores are usual for a model, from pictures that it never learnt, kept in the library."""

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict

from reeltune.media.squares import squares
from reeltune.search._background import digest, pictures
from reeltune.search._rescore import indexed_columns
from reeltune.search._usual import Baseline, Usual, usual
from reeltune.storage.atomic_file import write_atomically
from reeltune.storage.place import Place
from reeltune.storage.settings_file import read_json
from reeltune.types import DualEncoder

FILE_NAME = "usual.json"


class _Kept(BaseModel):
    """What a library remembers of its model."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    fingerprint: str  # of the model
    background: str  # `digest` of the captions and pictures
    usual: Usual


@torch.inference_mode()
def usual_of(model: DualEncoder) -> Usual:
    """The usual similarities of the pictures and captions of the background."""
    shown = squares(np.stack([np.asarray(one) for one in pictures()]), model.pixels)
    frames = torch.from_numpy(shown)[:, None]  # (N, 1, 3, S, S)
    vectors = model.encode_video(frames, torch.ones(len(frames), 1, dtype=torch.bool))
    seen = vectors[:, : indexed_columns(model)].float().cpu().numpy()
    return usual(*Baseline.of_model(model).of(seen), seen, np.arange(len(seen)))


def usual_in(folder: Place, model: DualEncoder) -> Usual:
    """What is usual for a library's model, as the last run of `index` left it in the library.

    It is measured anew where there is nothing yet, or only what is about another model or
    background, as in libraries that an older Reeltune wrote.
    """
    return _kept(folder, model) or usual_of(model)


def keep_usual(folder: Place, model: DualEncoder) -> None:
    """Leave in a library what is usual for its model, unless it is there."""
    if _kept(folder, model) is None:
        kept = _Kept(fingerprint=model.fingerprint, background=digest(), usual=usual_of(model))
        write_atomically(folder / FILE_NAME, f"{kept.model_dump_json(indent=2)}\n".encode())


def _kept(folder: Place, model: DualEncoder) -> Usual | None:
    try:
        kept = _Kept.model_validate(read_json(folder / FILE_NAME))
    except (OSError, ValueError):
        return None
    known = (kept.fingerprint, kept.background) == (model.fingerprint, digest())
    return kept.usual if known else None
