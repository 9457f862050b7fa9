"""What models share that read a text, or a frame, as one sequence of tokens in one network, and
whose vectors may be cut."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from transformers import PreTrainedModel

from reeltune.errors import CheckpointError, ConfigError, DataError
from reeltune.models._by_frames import ByFrames, unit
from reeltune.models._preprocessor import Preprocessor, stated_processor
from reeltune.models._tokenizer import read_tokenizer
from reeltune.models.opening.towers import EMBEDDERS, read_settings
from reeltune.models.opening.weights import fingerprint
from reeltune.types import Tokens

TEXTS_AT_ONCE = 32
FRAMES_AT_ONCE = 2


class Embedder(ByFrames):
    """A `FrameEncoder` that is a `Matryoshka`; subclasses say what is around words and pixels.

    Where a typed text has the mark of a special token, the mark is read as letters, so that no
    query passes for a picture.
    """

    frames_at_once = FRAMES_AT_ONCE
    picture: Int[Tensor, "1 L"]  # token ids of a frame

    def __init__(
        self,
        towers: PreTrainedModel,
        tokenizer: Any,
        preprocessor: Preprocessor,
        name: str,
        *,
        widths: tuple[int, ...],
        context: int,
    ):
        super().__init__(towers, tokenizer, preprocessor, name)
        self.widths, self.dim = widths, widths[0]
        self.context = context  # L at most, tokens
        self.register_buffer("picture", torch.tensor([self.picture_ids()]), persistent=False)

    @property
    def fingerprint(self) -> str:
        """That of the weights as stored, and of the width where vectors are cut."""
        whole = super().fingerprint
        is_whole = self.dim == self.widths[0]
        return whole if is_whole else fingerprint({}, {"whole": whole, "width": self.dim})

    def cut(self, width: int) -> None:
        """Make vectors of one of `widths` from now on; ConfigError for another."""
        if width not in self.widths:
            raise ConfigError(
                f"--width is {width}, and vectors of {self.name} were trained to be cut to "
                f"{', '.join(map(str, self.widths))}; give one of these"
            )
        self.dim = width

    def words(self, text: str) -> list[int]:
        """Token ids of the words alone."""
        read = self.tokenizer(text.strip(), add_special_tokens=False, split_special_tokens=True)
        return list(read["input_ids"])

    def sequence(self, text: str) -> list[int]:
        """Token ids of a text with all that the model wants around it, whatever its length."""
        raise NotImplementedError

    @property
    def closing(self) -> int:
        """How many tokens at the end of a `sequence` stay where it is cut."""
        raise NotImplementedError

    def picture_ids(self) -> list[int]:
        """Token ids of a frame with all that the model wants around it."""
        raise NotImplementedError

    def pooled(
        self, ids: Int[Tensor, "B L"], mask: Bool[Tensor, "B L"], **pictures: Tensor
    ) -> Float[Tensor, "B W"]:
        """Whole vectors of sequences, of whatever length."""
        raise NotImplementedError

    def pictures(self, frames: UInt8[Tensor, "B 3 S S"]) -> dict[str, Tensor]:
        """What the network is given of frames beside their tokens."""
        raise NotImplementedError

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        """Token ids on the CPU, cut to `context` tokens with what closes a text kept."""
        if not texts:
            raise DataError("there is no text to tokenize; give at least one")
        rows = [torch.tensor(self.sequence(text)) for text in texts]
        special = set(self.tokenizer.all_special_ids)
        known = [any(id not in special for id in self.words(text)) for text in texts]
        cut = torch.tensor([len(row) > self.context for row in rows])
        kept = self.context - self.closing
        rows = [
            torch.cat([row[:kept], row[-self.closing :]]) if is_cut else row
            for row, is_cut in zip(rows, cut.tolist(), strict=True)
        ]
        side = self.tokenizer.padding_side
        ids = torch.nn.utils.rnn.pad_sequence(
            rows, batch_first=True, padding_value=self.tokenizer.pad_token_id, padding_side=side
        )
        there = [torch.ones(len(row), dtype=torch.bool) for row in rows]
        mask = torch.nn.utils.rnn.pad_sequence(there, batch_first=True, padding_side=side)
        return Tokens(ids, mask, torch.tensor(known), cut)

    def encode_text(self, tokens: Tokens) -> Float[Tensor, "B D"]:
        """Unit vectors in float32, on the model's device."""
        device = self.mean.device
        chunks = (torch.split(part, TEXTS_AT_ONCE) for part in (tokens.ids, tokens.mask))
        parts = [
            unit(self.pooled(ids.to(device), mask.to(device))[:, : self.dim])
            for ids, mask in zip(*chunks, strict=True)
        ]
        return torch.cat(parts)

    def vectors_of(self, frames: UInt8[Tensor, "B 3 S S"]) -> Float[Tensor, "B D"]:
        """Vectors of a few frames, each a sequence of its own."""
        ids = self.picture.expand(len(frames), -1)
        vectors = self.pooled(ids, torch.ones_like(ids).bool(), **self.pictures(frames))
        return vectors[:, : self.dim]


@dataclass(frozen=True)
class Folder:
    """What the folder of such a model says before its weights are read."""

    path: Path
    settings: Any  # of the network, as transformers has them
    stated: Preprocessor
    tokenizer: Any


def read_folder(folder: Path | str | None, family: str, lacking: str) -> Folder:
    """Read all but the weights of a model of a family.

    Errors: `CheckpointError`, which says `lacking` where no folder is given, and else names the
    file or field that does not fit.
    """
    if folder is None:
        raise CheckpointError(lacking)
    path = Path(folder)
    settings = read_settings(path, {family: EMBEDDERS[family]})
    return Folder(path, settings, stated_processor(path, family), read_tokenizer(path))


def widths_below(whole: int, known: Sequence[int]) -> tuple[int, ...]:
    """The whole width, and those of the known ones that are less."""
    return (whole, *(width for width in known if width < whole))


def require_tokens(folder: Path, tokenizer: Any, vocabulary: int, marks: dict[str, int]) -> None:
    """Refuse a tokenizer whose ids the network does not know, or that lacks a mark; `marks` are ids
    by their names in `config.json`."""
    known = tokenizer.get_vocab()
    if (largest := max(known.values())) >= vocabulary:
        raise CheckpointError(
            f"{folder}: the tokenizer has ids up to {largest} and the network knows "
            f"{vocabulary}; take both from the same model"
        )
    ids = set(known.values())
    for name, id in marks.items():
        if id not in ids:
            raise CheckpointError(
                f"{folder}: config.json has {name} {id}, which the tokenizer does not know; take "
                "both from the same model"
            )
