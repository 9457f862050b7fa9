"""What scores are usual for a library's model, as a file of the library has it."""

from pydantic import BaseModel, ConfigDict

from reeltune.search._usual import Usual
from reeltune.search.background import digest
from reeltune.storage.atomic_file import write_atomically
from reeltune.storage.place import Place
from reeltune.storage.settings_file import read_json

FILE_NAME = "usual.json"


class _Kept(BaseModel):
    """What a library remembers of its model."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    fingerprint: str  # of the model
    background: str  # `digest` of the captions and pictures
    usual: Usual


def kept_usual(folder: Place, fingerprint: str) -> Usual | None:
    """What the last run of `index` left in a library; None where there is nothing yet, or only what
    is about another model or background, as in libraries that an older Reeltune wrote."""
    try:
        kept = _Kept.model_validate(read_json(folder / FILE_NAME))
    except (OSError, ValueError):
        return None
    known = (kept.fingerprint, kept.background) == (fingerprint, digest())
    return kept.usual if known else None


def write_usual(folder: Place, fingerprint: str, usual: Usual) -> None:
    """Leave in a library what is usual for the model of a fingerprint."""
    kept = _Kept(fingerprint=fingerprint, background=digest(), usual=usual)
    write_atomically(folder / FILE_NAME, f"{kept.model_dump_json(indent=2)}\n".encode())
