"""The two sides of Dual Encoding, each in three levels.

Columns stand as in the released weights: GRU, convolutions, then the global level.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from reeltune.models._dual_encoding._levels import Levels, real_first
from reeltune.models._dual_encoding._space import Encoded, Space
from reeltune.models._dual_encoding._vocabulary import SPECIALS


class VideoTower(nn.Module):
    """Frame features to the space; the global level is their mean."""

    def __init__(self, levels: Levels, space: Space, frames_at_most: int) -> None:
        super().__init__()
        self.levels, self.space, self.frames_at_most = levels, space, frames_at_most

    def forward(self, features: Float[Tensor, "B T F"], mask: Bool[Tensor, "B T"]) -> Encoded:
        """The mean is of all frames, the other levels see the first `frames_at_most`."""
        kept = features.masked_fill(~mask[..., None], 0)  # so that no NaN of the padding counts
        mean = kept.sum(dim=1) / mask.sum(dim=1, keepdim=True)  # (B, F)
        sequence, lengths = real_first(kept, mask, self.frames_at_most)
        return self.space(torch.cat([self.levels(sequence, lengths), mean], dim=1))


class TextTower(nn.Module):
    """Words to the space; the global level is a bag of words, and a sentence feature if given."""

    def __init__(self, embedding: nn.Embedding, levels: Levels, space: Space) -> None:
        super().__init__()
        self.embedding, self.levels, self.space = embedding, levels, space

    def forward(
        self,
        ids: Int[Tensor, "B L"],
        mask: Bool[Tensor, "B L"],
        sentence: Float[Tensor, "B S"] | None = None,
    ) -> Encoded:
        words, lengths = real_first(ids, mask)
        levels = [self.levels(self.embedding(words), lengths)]
        levels.append(bag_of_words(ids, mask, self.embedding.num_embeddings - SPECIALS))
        if sentence is not None:
            levels.append(sentence)
        return self.space(torch.cat(levels, dim=1))


def bag_of_words(
    ids: Int[Tensor, "B L"], mask: Bool[Tensor, "B L"], words: int
) -> Float[Tensor, "B words"]:
    """How often each word occurs; special tokens, which include unknown words, do not count."""
    counts = torch.zeros(len(ids), SPECIALS + words, device=ids.device)
    return counts.scatter_add_(1, ids, mask.to(counts))[:, SPECIALS:]
