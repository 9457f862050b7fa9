"""The tokenizer of a Hugging Face model folder, and one that needs no files."""

from pathlib import Path
from typing import Any

from tokenizers.pre_tokenizers import ByteLevel
from transformers import AutoTokenizer, CLIPTokenizer

from reeltune.errors import CheckpointError, in_short

FILES = (("tokenizer.json",), ("vocab.json", "merges.txt"), ("spiece.model",))
START, END = "<|startoftext|>", "<|endoftext|>"


def read_tokenizer(folder: Path) -> Any:
    """The tokenizer stored in `folder`, which `require_harmless` has looked through."""
    if not any(all((folder / name).is_file() for name in names) for names in FILES):
        raise _unreadable(folder, "there is no file of one")  # transformers would make one up
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except ImportError as error:
        raise CheckpointError(
            f"the tokenizer in {folder} is a SentencePiece model; "
            "install its reader with: pip install sentencepiece protobuf"
        ) from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise _unreadable(folder, in_short(error)) from error
    if tokenizer.pad_token_id is None:
        raise CheckpointError(
            f"the tokenizer in {folder} names no pad_token; add it to tokenizer_config.json"
        )
    return tokenizer


def byte_tokenizer(vocabulary: int) -> Any:
    """CLIP's tokenizer without merges: every byte is a token, and the two marks come last.

    It stands in where a model has random weights and no files; `vocabulary` is at least 514.
    """
    letters = sorted(ByteLevel.alphabet())
    words = letters + [letter + "</w>" for letter in letters]
    table = {word: place for place, word in enumerate(words)}
    return CLIPTokenizer(vocab={**table, START: vocabulary - 2, END: vocabulary - 1}, merges=[])


def _unreadable(folder: Path, why: str) -> CheckpointError:
    return CheckpointError(
        f"{folder} has no tokenizer that transformers can read ({why}); "
        "copy tokenizer.json or vocab.json and merges.txt from where the weights came from"
    )
