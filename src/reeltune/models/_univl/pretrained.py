"""The folder of weights that training of UniVL begins with."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from reeltune.models.opening.weights import WEIGHTS
from reeltune.settings.existing import Named


def without_weights(folder: Path) -> str:
    """Says what is wrong with a folder from which training should begin."""
    if (folder / WEIGHTS).is_file():
        return ""
    return (
        f"{folder / WEIGHTS} is not there, and training begins with it; make it of the release "
        f"with: reeltune convert univl univl.pretrained.bin {folder}, or name another folder by "
        "--set config.pretrained=FOLDER (null: random weights)"
    )


Pretrained = Annotated[Path, AfterValidator(Path.expanduser), Named(without_weights)]
