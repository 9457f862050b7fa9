"""The tokenizer of a Hugging Face model folder, and one that needs no files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as Decoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer, CLIPTokenizer, PreTrainedTokenizerFast

from reeltune.errors import CheckpointError, in_short

FILES = (("tokenizer.json",), ("vocab.json", "merges.txt"), ("spiece.model",))
Padding = Literal["longest", "max_length"]
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


def marked_tokenizer(marks: Sequence[str], form: str, pad: str, end: str) -> Any:
    """A tokenizer whose ids are those of `marks`, in their order, and then one for each byte.

    It stands in where an embedding model has random weights and no files; `form` says which marks
    stand around a text, as in `<bos> $A <eos>`.
    """
    places = {word: place for place, word in enumerate([*marks, *sorted(ByteLevel.alphabet())])}
    made = Tokenizer(BPE(vocab=places, merges=[]))
    made.pre_tokenizer = ByteLevel(add_prefix_space=False)
    made.decoder = Decoder()
    made.add_special_tokens(list(marks))
    made.post_processor = TemplateProcessing(
        single=form, special_tokens=[(mark, places[mark]) for mark in marks]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token=pad, eos_token=end, padding_side="right"
    )


def cut_and_padded(tokenizer: Any, context: int, padding: Padding | None) -> str:
    """The JSON of a tokenizer of transformers as one of `tokenizers`, which cuts texts to `context`
    tokens by itself, and fills them up to as many, or to the longest, as `padding` says."""
    made = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    made.enable_truncation(context, direction=tokenizer.truncation_side)
    made.no_padding()
    if padding is not None:
        made.enable_padding(
            direction=tokenizer.padding_side,
            pad_id=tokenizer.pad_token_id,
            pad_token=tokenizer.pad_token,
            length=context if padding == "max_length" else None,
        )
    return made.to_str()


def _unreadable(folder: Path, why: str) -> CheckpointError:
    return CheckpointError(
        f"{folder} has no tokenizer that transformers can read ({why}); "
        "copy tokenizer.json or vocab.json and merges.txt from where the weights came from"
    )
