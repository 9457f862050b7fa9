"""Writes a CLIP as a folder of sentence-transformers, by modules that this library has itself."""

import json
from pathlib import Path
from typing import Any

from reeltune.errors import ConfigError
from reeltune.models.clip import Clip, require_whole
from reeltune.models.tuned import Tuned
from reeltune.storage.atomic_file import write_atomically

KINDS = {"": "CLIPModel", "1_Normalize": "Normalize"}  # as old and new versions know them
MODULES = [
    {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{kind}"}
    for at, (path, kind) in enumerate(KINDS.items())
]
SETTINGS = {"similarity_fn_name": "cosine"}


def plain_clip(model: Any, name: str) -> Clip:
    """The CLIP that a model is; raises ConfigError, with the reason, for any other."""
    if isinstance(model, Tuned) and not model.is_clip:
        raise ConfigError(
            f"{name} cannot be exported: tuning by {model.config.method} put layers into its CLIP "
            "that sentence-transformers does not have; export it with --to onnx"
        )
    found = model.clip if isinstance(model, Tuned) else model
    if not isinstance(found, Clip) or found.family != "clip":
        kind = getattr(found, "family", type(found).__name__)
        raise ConfigError(
            f"{name} cannot be exported: its form ({kind}) is none of those of which "
            "sentence-transformers has modules; give a CLIP, or a run that tuned one whole or in "
            "part, or see to --to onnx"
        )
    require_whole(found)
    return found


def write_sentence_transformers(model: Clip, folder: Path) -> None:
    """Write the towers, their tokenizer and preprocessor, and which modules read them; vectors of
    texts and pictures then have unit length, as here."""
    model.save_pretrained(folder)
    (folder / "1_Normalize").mkdir()
    _write(folder / "1_Normalize" / "config.json", {})
    _write(folder / "modules.json", MODULES)
    _write(folder / "config_sentence_transformers.json", SETTINGS)


def _write(path: Path, content: object) -> None:
    write_atomically(path, f"{json.dumps(content, indent=2)}\n".encode())
