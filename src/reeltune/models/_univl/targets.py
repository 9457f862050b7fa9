"""Targets that a batch may carry for UniVL beside clips and captions, by their names in
`Batch.targets`.

`transcript` (B, L)     ids of what is said in the clip, as `WordPieces.encode` makes them
`transcript_mask` (B, L)  true at its real tokens
    Both are read in place of the caption by a model that `reads` transcripts.
`masked_words` (B, L), `masked_labels` (B, L)   the text that is read with words hidden, and
    the true ids of those, -1 elsewhere (`objectives.masked_language.Masked`)
`hidden_frames` (B, T)  true at frames to hide
    Drawn anew from torch's generator at each pass unless a batch brings them.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torch.nn import functional as F

from reeltune.errors import DataError
from reeltune.models._bert.words import WordPieces, inner
from reeltune.objectives.masked_frame import mask_frames
from reeltune.objectives.masked_language import Masked, mask_words
from reeltune.types import Batch, Tokens

Reads = Literal["caption", "transcript", "nothing"]


@dataclass(frozen=True)
class Hidden:
    """What masked losses hide."""

    words: Masked
    frames: Bool[Tensor, "B T"]


def text_read(batch: Batch, reads: Reads, words: WordPieces) -> Tokens:
    """The text that the text encoder sees.

    Raises DataError for a batch without the transcripts that it should bring.
    """
    if reads == "caption":
        return batch.tokens
    if reads == "nothing":
        return words.nothing(len(batch.tokens.ids))
    if "transcript" not in batch.targets or "transcript_mask" not in batch.targets:
        raise DataError(
            f"the model reads transcripts, and the batch brings {sorted(batch.targets) or 'none'}; "
            "add transcript and transcript_mask to its targets, or give --set config.reads=nothing"
        )
    return Tokens(batch.targets["transcript"], batch.targets["transcript_mask"].bool())


def what_is_hidden(
    batch: Batch, text: Tokens, mask: Bool[Tensor, "B T"], words: WordPieces, chance: float
) -> Hidden:
    """The batch's own choice, or a new one; [CLS] and the last token, [SEP], are never hidden."""
    given = batch.targets
    if "masked_words" in given:
        masked = Masked(given["masked_words"], given["masked_labels"])
    else:
        masked = mask_words(text.ids, inner(text), words.mask, len(words), chance)
    if "hidden_frames" in given:  # of the frames that are read alone
        frames = given["hidden_frames"][:, : mask.shape[1]].to(mask)
    else:
        frames = mask_frames(mask, chance)
    device = mask.device
    return Hidden(Masked(masked.ids.to(device), masked.labels.to(device)), frames)


@dataclass(frozen=True)
class Caption:
    """A caption for the decoder: words to read, and those that follow."""

    ids: Int[Tensor, "B L"]  # [CLS] w ...
    following: Int[Tensor, "B L"]  # w ... [SEP]
    mask: Bool[Tensor, "B L"]  # true where `ids` are words
    counted: Bool[Tensor, "B L"]  # true where the loss counts what follows

    @classmethod
    def of(cls, tokens: Tokens, pad: int, padded_to: int | None = None) -> "Caption":
        """Input and targets for [CLS] w ... [SEP]. With `padded_to` they are padded to that many
        words, and all of the padding counts, which is how the release trains."""
        more = (0, max(0, (padded_to or 0) + 1 - tokens.ids.shape[1]))
        every, there = F.pad(tokens.ids, more, value=pad), F.pad(tokens.mask, more, value=False)
        mask = there[:, 1:]
        ids, following = every[:, :-1].masked_fill(~mask, pad), every[:, 1:].masked_fill(~mask, pad)
        return cls(ids, following, mask, mask if padded_to is None else torch.ones_like(mask))
