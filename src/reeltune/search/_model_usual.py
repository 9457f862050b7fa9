"""What scores are usual for a model, from pictures that it never learnt, kept in the library."""

import numpy as np

from reeltune.search._array_encoder import ArrayEncoder
from reeltune.search._kept_usual import FILE_NAME as FILE_NAME
from reeltune.search._kept_usual import kept_usual, write_usual
from reeltune.search._usual import Baseline, Usual, usual
from reeltune.search.background import shown
from reeltune.storage.place import Place


def usual_of(model: ArrayEncoder, baseline: Baseline | None = None) -> Usual:
    """The usual similarities of the pictures and captions of the background; `baseline` is that of
    the model, where it has been made."""
    vectors = model.clips([[row] for row in model.rows(shown(model.pixels))])
    seen = vectors[:, : model.indexed]
    return usual(*(baseline or Baseline.of_model(model)).of(seen), seen, np.arange(len(seen)))


def usual_in(folder: Place, model: ArrayEncoder) -> Usual:
    """What is usual for a library's model: as the library has it, or else measured anew."""
    return kept_usual(folder, model.fingerprint) or usual_of(model)


def keep_usual(folder: Place, model: ArrayEncoder, baseline: Baseline | None = None) -> None:
    """Leave in a library what is usual for its model, unless it is there."""
    if kept_usual(folder, model.fingerprint) is None:
        write_usual(folder, model.fingerprint, usual_of(model, baseline))
