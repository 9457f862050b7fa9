"""What scores are usual for a model, from pictures that it never learnt, kept in the library."""

import numpy as np
import torch

from reeltune.media.squares import squares
from reeltune.search._background import pictures
from reeltune.search._kept_usual import FILE_NAME as FILE_NAME
from reeltune.search._kept_usual import kept_usual, write_usual
from reeltune.search._rescore import indexed_columns
from reeltune.search._usual import Baseline, Usual, usual
from reeltune.storage.place import Place
from reeltune.types import DualEncoder


@torch.inference_mode()
def usual_of(model: DualEncoder) -> Usual:
    """The usual similarities of the pictures and captions of the background."""
    shown = squares(np.stack([np.asarray(one) for one in pictures()]), model.pixels)
    frames = torch.from_numpy(shown)[:, None]  # (N, 1, 3, S, S)
    vectors = model.encode_video(frames, torch.ones(len(frames), 1, dtype=torch.bool))
    seen = vectors[:, : indexed_columns(model)].float().cpu().numpy()
    return usual(*Baseline.of_model(model).of(seen), seen, np.arange(len(seen)))


def usual_in(folder: Place, model: DualEncoder) -> Usual:
    """What is usual for a library's model: as the library has it, or else measured anew."""
    return kept_usual(folder, model.fingerprint) or usual_of(model)


def keep_usual(folder: Place, model: DualEncoder) -> None:
    """Leave in a library what is usual for its model, unless it is there."""
    if kept_usual(folder, model.fingerprint) is None:
        write_usual(folder, model.fingerprint, usual_of(model))
