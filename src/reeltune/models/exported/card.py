"""What the folder of an exported model says of itself, and how such a folder is known."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveInt

from reeltune.errors import CheckpointError, in_short
from reeltune.models.text_towers.clip import Cleaning
from reeltune.records import Pixels
from reeltune.registry import names
from reeltune.storage.home import from_home
from reeltune.storage.settings_file import read_json

CARD = "reeltune-export.json"
TEXT, FRAMES, WORDS = "text.onnx", "frames.onnx", "tokenizer.json"
Precision = Literal["float32", "int8"]
PRESETS = Path(__file__).parents[1] / "presets"  # by the names of their files


class Part(BaseModel):
    """Some columns of the vector of a clip, which are made of a mean over its frames."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: PositiveInt
    length: NonNegativeFloat | None  # to which the mean is brought; None: it stays as it is


class ExportCard(BaseModel):
    """How vectors are made by the files of the folder."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    format: Literal[1] = 1
    reeltune: str  # the version that wrote this
    model: str  # by the name that it had
    fingerprint: str  # of the model, which is not that of its export
    precision: Precision
    pixels: Pixels
    parts: tuple[Part, ...] = Field(min_length=1)
    cleaning: Cleaning  # before a text is split into tokens
    frames_at_once: PositiveInt  # bounds the memory of one pass

    @property
    def dim(self) -> int:
        """D, the width of a vector."""
        return sum(part.width for part in self.parts)


def read_export(folder: Path) -> ExportCard:
    """The card of an exported model; CheckpointError for one that cannot be read."""
    try:
        return ExportCard.model_validate(read_json(folder / CARD))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{folder / CARD} does not say how the exported model is read ({in_short(error)}); "
            "export the model again: reeltune export MODEL --to onnx --out NEW"
        ) from error


def exported_folder(name: str) -> Path | None:
    """The folder of an exported model that `name` stands for; None where it is another model's, or
    the name of a component or a preset, which come first."""
    folder = from_home(name)
    if not (folder / CARD).is_file() or name in names("models"):
        return None
    return None if name in {file.stem for file in PRESETS.glob("*.yaml")} else folder
