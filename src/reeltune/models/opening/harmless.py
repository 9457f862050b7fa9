"""Looks through a Hugging Face model folder before transformers does, which does what files ask.

A setting may name code to import, a kernel to download, another model or a file elsewhere. None of
that is needed for a CLIP, so all of it is refused by name.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reeltune.errors import CheckpointError, in_short
from reeltune.models.opening.weights import SHARDS
from reeltune.storage.settings_file import read_json

LONGEST = 1 << 27  # bytes of a list of tokens; that of Gemma has 2^25
LISTS = frozenset(("tokenizer.json", "vocab.json", SHARDS))  # they hold names and no settings
SHARD = re.compile(r"[\w.-]+\.safetensors")
FORBIDDEN = {  # settings, and what they ask for
    "auto_map": "run Python code of its own",
    "configuration_files": "read its settings from other files",
    "transformers_weights": "read its weights from another file",
    "quantization_config": "unpack its weights by another library",
}
ATTENTION = re.compile(r"_?attn_implementation(_internal)?")
BUILT_IN = (None, "eager", "sdpa")  # others may be downloaded as a kernel, which is code
TOKENIZERS = ("CLIP", "Siglip", "Siglip2", "T5", "Gemma", "Qwen2", "Bert", "Roberta", "XLMRoberta")
GENERAL = ("PreTrainedTokenizer", "TokenizersBackend")


def require_harmless(folder: Path) -> None:
    """Raise CheckpointError for a folder that asks for more than reading its settings, tokens and
    safetensors, or has files that no reader should meet."""
    if (folder / "adapter_config.json").exists():
        raise CheckpointError(
            f"{folder} has an adapter_config.json, which stands for an adapter of the library peft "
            "on another model; merge the two and give the whole model"
        )
    with os.scandir(folder) as entries:
        files = sorted(Path(entry.path) for entry in entries if not entry.is_dir())
    for file in files:
        if os.path.exists(file) and not file.is_file():
            raise CheckpointError(f"{file} is no regular file but a pipe or device; remove it")
        if file.suffix in (".json", ".txt", ".model", ".jinja"):
            _require_size(file)
        if file.suffix == ".json" and file.name not in LISTS:
            _require_plain(file)
    if (folder / SHARDS).is_file():
        _require_shards(folder)


def _require_size(file: Path) -> None:
    if (size := file.stat().st_size) > LONGEST:
        raise CheckpointError(
            f"{file} has {size:,} bytes, and at most {LONGEST:,} are read; take it from where the "
            "weights came from"
        )


def _require_plain(file: Path) -> None:
    for name, value in _settings(_content(file)):
        if name in FORBIDDEN and value is not None:
            raise CheckpointError(
                f"{file} asks to {FORBIDDEN[name]} ({name}), which Reeltune never does; use a "
                "model that transformers knows by itself"
            )
        if ATTENTION.fullmatch(name) and value not in BUILT_IN:
            raise CheckpointError(
                f"{file} asks for the attention {value!r} ({name}), which may be code of the hub; "
                f"remove it, or give {' or '.join(map(str, BUILT_IN[1:]))}"
            )
        if name == "tokenizer_class" and value is not None and not _is_known(value):
            raise CheckpointError(
                f"{file} asks for the tokenizer {value!r}, and known here are those of "
                f"{', '.join(TOKENIZERS)}; use a model with one of them"
            )


def _is_known(tokenizer: object) -> bool:
    name = str(tokenizer).removesuffix("Fast")
    return name in GENERAL or name in [f"{kind}Tokenizer" for kind in TOKENIZERS]


def _settings(content: Any) -> Iterator[tuple[str, Any]]:
    """Every setting at any depth, with its value."""
    inside = [content]
    while inside:
        part = inside.pop()
        if isinstance(part, dict):
            yield from part.items()
            inside.extend(part.values())
        elif isinstance(part, list):
            inside.extend(part)


def _require_shards(folder: Path) -> None:
    content = _content(folder / SHARDS)
    shards = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(shards, dict):
        raise CheckpointError(f"{folder / SHARDS} has no weight_map; copy it again")
    for name in set(map(str, shards.values())):
        if not SHARD.fullmatch(name):
            raise CheckpointError(
                f"{folder / SHARDS} names the weights {name!r}, and they must be safetensors in "
                "the same folder; take the files from the same place"
            )
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder} lacks {name}, which {SHARDS} names; copy it as well")


def _content(file: Path) -> Any:
    try:
        return read_json(file)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file} is not JSON ({in_short(error)}); copy it again") from error
