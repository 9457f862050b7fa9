"""Has the user's cache remember a model that was opened whole, if its texts can be read in numpy.

That is tried: a tower is kept only where it makes the model's own vectors of some texts.
"""

import hashlib
from typing import Protocol, runtime_checkable

import torch
from safetensors import SafetensorError

from reeltune._version import __version__
from reeltune.models.text_towers import clip, lite
from reeltune.models.text_towers.known import Known, keep, stored
from reeltune.storage.known_files import sha256_of
from reeltune.types import DualEncoder

FAR = 1e-5  # from a cosine of 1, which no text may be
TRIED = (
    "a dog",
    "Two men ride bicycles down a very steep road!",
    "naïve café 東京 &amp; 1,000 “quotes”",
    "one word after the other " * 40,  # longer than any model reads
)


@runtime_checkable
class HasTextTower(DualEncoder, Protocol):
    """A dual encoder that can say how its texts are read without torch."""

    def text_tower(self) -> tuple[clip.Facts | lite.Facts, str] | None:
        """What the tower is opened by, and the JSON of its tokenizer; None for a model whose files
        do not suffice."""
        ...


def remember(name: str, model: DualEncoder) -> None:
    """Keep the fingerprint and the text tower of a model that was just opened as `name`, unless
    they are kept already, or the tower reads texts otherwise than the model."""
    known = stored(name, model.fingerprint)
    if (known is not None and known.is_current()) or not isinstance(model, HasTextTower):
        return
    told = model.text_tower()
    if told is None or not _agrees(model, *told):
        return
    facts, words = told
    try:
        files = {str(path): sha256_of(path) for path in facts.files}
    except OSError:
        return
    keep(
        Known(
            reeltune=__version__,
            name=name,
            dim=model.dim,
            fingerprint=model.fingerprint,
            files=files,
            tokenizer=hashlib.sha256(words.encode()).hexdigest(),
            tower=facts,
        ),
        words,
    )


@torch.inference_mode()
def _agrees(model: DualEncoder, facts: clip.Facts | lite.Facts, words: str) -> bool:
    """Whether a tower makes the model's vectors of all texts that are tried."""
    wanted = model.encode_text(model.tokenize(TRIED)).float().cpu().numpy()  # (N, D)
    try:
        tower = facts.opened(words)
        found = tower.read(TRIED)
    except (SafetensorError, OSError, KeyError, ValueError, TypeError):
        return False  # of another form than in the files of its family
    return found.shape == wanted.shape and bool(((found * wanted).sum(axis=1) > 1 - FAR).all())
