"""The transformer of All-in-one (2203.07303): a ViT for words and patches alike, in which frames
meet by rolling some of their patches through time.

Names of modules are those of the released state dict.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from reeltune.models._bert.sequence import Sequence
from reeltune.models._vit.layers import Block, PatchEmbed
from reeltune.nn.attention_mask import additive

FOLDS = 8  # of the places of a frame, its summary token included; two of them are rolled


@dataclass(frozen=True)
class VitSizes:
    """Sizes of the transformer; the defaults are ViT-B/16 on 3 frames of 224 pixels."""

    width: int = 768
    layers: int = 12
    heads: int = 12
    image: int = 224  # S
    patch: int = 16  # pixels
    frames: int = 3  # rows of the table of times
    dropout: float = 0.1
    drop_path: float = 0.1  # of the last block; the first has none, the others lie between

    @property
    def places(self) -> int:
        """States of a frame: its summary token and its patches."""
        return 1 + (self.image // self.patch) ** 2


@dataclass(frozen=True)
class Clips:
    """States of all places of all frames; `mask` is true at real frames, which come first."""

    states: Float[Tensor, "B T V D"]
    mask: Bool[Tensor, "B T"]

    def rows(self, chosen: Int[Tensor, " R"]) -> "Clips":
        """The chosen clips."""
        return Clips(self.states[chosen], self.mask[chosen])


@dataclass(frozen=True)
class Roll:
    """Which frames are neighbours, of frames that stand one behind another without padding."""

    before: Int[Tensor, " M"]  # place of the frame before each; of the first the clip's last
    after: Int[Tensor, " M"]  # place of the frame behind each; of the last the clip's first

    @classmethod
    def of(cls, mask: Bool[Tensor, "B T"]) -> "Roll":
        """Neighbours of the true frames of `mask`, which come first in their rows."""
        count = mask.sum(dim=1)  # (B,)
        starts = (count.cumsum(dim=0) - count)[:, None]
        time = torch.arange(mask.shape[1], device=mask.device)
        before, after = (
            starts + (time + step) % count.clamp(min=1)[:, None] for step in (-1, 1)
        )  # (B, T)
        return cls(before[mask], after[mask])

    def __call__(self, frames: Float[Tensor, "M V D"]) -> Float[Tensor, "M V D"]:
        """The first fold of the patches from the frame before, the last one from the frame behind.

        The summary token, and the patches between, stay.
        """
        fold = frames.shape[1] // FOLDS
        parts = [
            frames[:, :1],
            frames[self.before, 1 : 1 + fold],
            frames[:, 1 + fold : -fold],
            frames[self.after, -fold:],
        ]
        return torch.cat(parts, dim=1)


class Transformer(nn.Module):
    """Patches and places of frames, and the blocks for frames, words, and both."""

    def __init__(self, sizes: VitSizes) -> None:
        super().__init__()
        width = sizes.width
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, sizes.places, width))
        self.temporal_embed = nn.Parameter(torch.zeros(1, sizes.frames, width))
        self.patch_embed = PatchEmbed(width, sizes.patch)
        self.dropout = nn.Dropout(sizes.dropout)
        rates = torch.linspace(0, sizes.drop_path, sizes.layers, device="cpu").tolist()
        self.blocks = nn.ModuleList(
            [Block(width, sizes.heads, sizes.dropout, rate) for rate in rates]
        )
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def embed(
        self, frames: Float[Tensor, "B T 3 S S"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B T V D"]:
        """States of each frame before the first block: V = 1 + P, the summary token first.

        Frames are of the normalised colours; real ones come first.
        """
        times = self.temporal_embed[0][times_of(mask, self.temporal_embed.shape[1])]  # (B, T, D)
        patches = self.patch_embed(frames) + self.pos_embed[:, None, 1:] + times[:, :, None]
        first = (self.cls_token + self.pos_embed[:, :1])[:, None]
        return self.dropout(torch.cat([first.expand(*mask.shape, -1, -1), patches], dim=2))

    def words(self, text: Sequence) -> Float[Tensor, "B L D"]:
        """What texts are alone."""
        states, hidden = text.states, hidden_from(text.mask, text.states)
        for block in self.blocks:
            states = block(states, hidden)
        return self.norm(states)

    def frames(self, video: Clips) -> Float[Tensor, "B D"]:
        """The summary tokens of clips alone, in the mean over frames; no frame sees another."""
        states = video.states[video.mask]  # (M, V, D)
        for block in self.blocks:
            states = block(states)
        return mean_over(self.norm(states[:, 0]), video.mask)

    def fuse(self, text: Sequence, video: Clips) -> Float[Tensor, "B L D"]:
        """The words of each text beside the frames of the clip in its row, in the mean over frames.

        Each frame has its own copy of the text, and before every block it takes two folds of its
        patches from its neighbours.
        """
        row = video.mask.nonzero()[:, 0]  # (M,)
        length = text.mask.shape[1]
        words, frames, roll = text.states[row], video.states[video.mask], Roll.of(video.mask)
        shown = torch.ones_like(frames[..., 0], dtype=torch.bool)
        hidden = hidden_from(torch.cat([text.mask[row], shown], dim=1), words)
        for block in self.blocks:
            both = block(torch.cat([words, roll(frames)], dim=1), hidden)
            words, frames = both[:, :length], both[:, length:]
        return mean_over(self.norm(words), video.mask)


def hidden_from(mask: Bool[Tensor, "B L"], like: Tensor) -> Float[Tensor, "B 1 1 L"] | None:
    """The addend of scores of attention; none where everything is seen."""
    return None if mask.all() else additive(mask, like)[:, None, None]


def times_of(mask: Bool[Tensor, "B T"], rows: int) -> Int[Tensor, "B T"]:
    """The row of the table of times for each frame: its own, or, of a clip that has more frames
    than there are rows, that of its share of the time."""
    place = torch.arange(mask.shape[1], device=mask.device)
    count = mask.sum(dim=1, keepdim=True).clamp(min=rows)  # (B, 1)
    return (place * rows // count).clamp(max=rows - 1)


def mean_over(states: Float[Tensor, "M ..."], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B ..."]:
    """The mean over the real frames of each row, of states that stand one behind another."""
    padded = states.new_zeros(*mask.shape, *states.shape[1:])
    padded[mask] = states
    count = mask.sum(dim=1).to(states).view(-1, *[1] * (states.ndim - 1))
    return padded.sum(dim=1) / count
