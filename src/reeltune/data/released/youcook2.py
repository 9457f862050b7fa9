"""Captions and transcripts of YouCook2, from the pickle of UniVL's release."""

from pathlib import Path

from pydantic import ValidationError

from reeltune.data._youcook2 import DATA, Told
from reeltune.data.released.univl_pickles import read_columns
from reeltune.errors import DataError, in_short
from reeltune.storage.atomic_file import write_atomically

FILE = DATA  # in the folder of the dataset


def convert(source: Path, folder: Path) -> Told:
    """Write `youcookii_data.json` of UniVL's pickle, and return what it holds.

    Errors: `DataError` for a file that is no such pickle, or whose columns do not fit.
    """
    try:
        told = Told.model_validate(read_columns(source))
    except ValidationError as error:
        raise DataError(
            f"{source}: {in_short(error)}; give "
            "youcookii_data.no_transcript.pickle of UniVL's release"
        ) from None
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / FILE, told.model_dump_json().encode() + b"\n")
    return told
