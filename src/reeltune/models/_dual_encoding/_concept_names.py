"""Names of the concepts that a model tells apart, in the order of their columns."""

import json
from collections.abc import Sequence
from pathlib import Path

from reeltune.errors import CheckpointError, in_short
from reeltune.storage.settings_file import read_json

FILE = "concepts.json"  # beside the weights; of the form of hybrid_space's vocabulary of tags


def write_concept_names(folder: Path, names: Sequence[str]) -> None:
    """Write the names as a JSON list, or no file if they are not known."""
    if names:
        text = json.dumps(names, ensure_ascii=False, indent=0)
        (folder / FILE).write_text(text + "\n", encoding="utf-8")


def read_concept_names(folder: Path) -> tuple[str, ...]:
    """Names that `write_concept_names` wrote; empty if there is no file.

    Errors: `CheckpointError` for a file that holds something else.
    """
    path = folder / FILE
    if not path.is_file():
        return ()
    try:
        names = read_json(path)
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} cannot be read as JSON ({in_short(error)}); take it from where the "
            "weights came from"
        ) from None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise CheckpointError(
            f"{path} is not a list of names; take it from where the weights came from"
        )
    return tuple(names)
