"""What this user's cache knows of models: fingerprints, and how their texts are read.

A fingerprint is of all weights, which takes a second or more to compute. It is taken once, when a
model is opened whole, and holds for as long as the model's files have the SHA-256 that they had
then. A record is found by the name and the fingerprint that a library states, and says nothing that
a library could choose.
"""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Protocol

import numpy as np
from jaxtyping import Float32
from pydantic import BaseModel, ConfigDict, Field

from reeltune._version import __version__
from reeltune.models.text_towers import clip, lite
from reeltune.storage.atomic_file import write_atomically
from reeltune.storage.cache import cache_folder
from reeltune.storage.known_files import sha256_of
from reeltune.storage.regular_file import read_bytes

FACTS, WORDS = "model.json", "tokenizer.json"


class TextTower(Protocol):
    """The text side of a dual encoder, which needs no torch."""

    def read(self, texts: Sequence[str]) -> Float32[np.ndarray, "N D"]:
        """Vectors of N texts, 1 or more, as the model itself makes them to within rounding; many at
        once cost less, since weights are read once for all of them."""
        ...


class Known(BaseModel):
    """A model as it was when it was last opened whole."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reeltune: str  # the version that wrote this
    name: str  # by which a library names the model
    dim: int  # D
    fingerprint: str
    files: dict[str, str]  # SHA-256 of each file of the model, by its absolute path
    tokenizer: str  # SHA-256 of the tokenizer beside this, which is empty where a tower has its own
    tower: Annotated[clip.Facts | lite.Facts, Field(discriminator="kind")]

    def is_current(self, anew: bool = False) -> bool:
        """Whether all files of the model are there as they were, and none besides; `anew` reads
        them whole, also where nothing says that they have changed."""
        try:
            found = {str(path) for path in self.tower.files}
            same = (sha256_of(Path(path), anew) == was for path, was in self.files.items())
            return found == self.files.keys() and all(same)
        except OSError:
            return False

    def opened(self) -> TextTower:
        """The text tower; raises what safetensors and tokenizers do for files that they cannot
        read, OSError, and ValueError for a tokenizer that was changed."""
        words = read_bytes(place_of(self.name, self.fingerprint) / WORDS)
        if hashlib.sha256(words).hexdigest() != self.tokenizer:
            raise ValueError(f"the tokenizer of {self.name} in the cache was changed")
        return self.tower.opened(words.decode())


def place_of(name: str, fingerprint: str) -> Path:
    """The folder of the cache for a model, by whatever a library calls it."""
    key = hashlib.blake2b(json.dumps([name, fingerprint]).encode(), digest_size=16).hexdigest()
    return cache_folder() / "text_towers" / key


def stored(name: str, fingerprint: str) -> Known | None:
    """What is known of a model that had this fingerprint; None where that is nothing, or was
    written by another version. Whether its files have changed since, `is_current` says."""
    try:
        found = Known.model_validate_json(read_bytes(place_of(name, fingerprint) / FACTS))
    except (OSError, ValueError):
        return None
    asked = (__version__, name, fingerprint)
    return found if (found.reeltune, found.name, found.fingerprint) == asked else None


def keep(known: Known, tokenizer: str) -> None:
    """Write what is known of a model; nothing where the cache cannot be written, as all works
    without it, if slowly."""
    folder = place_of(known.name, known.fingerprint)
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / WORDS, tokenizer.encode())
        write_atomically(folder / FACTS, f"{known.model_dump_json(indent=2)}\n".encode())


def forget(known: Known) -> None:
    """Take back what was kept, so that the model is next opened whole."""
    (place_of(known.name, known.fingerprint) / FACTS).unlink(missing_ok=True)
