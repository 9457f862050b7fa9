"""TimeSformer with divided attention (Bertasius et al., 2102.05095), as ALPRO uses it.

Each block looks along time, each patch at itself in all frames, and then across space, each frame
at its own patches and the summary token. Names of modules are those of the released state dict.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from reeltune.models._vit.layers import Attention, DropPath, Mlp, PatchEmbed
from reeltune.nn.attention_mask import additive


@dataclass(frozen=True)
class VideoSizes:
    """Sizes of the video encoder; the defaults are ViT-B/16 on 8 frames of 224 pixels."""

    width: int = 768
    layers: int = 12
    heads: int = 12
    image: int = 224  # S
    patch: int = 16  # pixels
    frames: int = 8  # rows of the table of times
    drop_path: float = 0.1  # of the last block; the first has none, the others lie between

    @property
    def across(self) -> int:
        """Patches of a side."""
        return self.image // self.patch


class Block(nn.Module):
    """Attention along time, across space, and two linear maps, each before a residual sum."""

    def __init__(self, width: int, heads: int, drop_path: float) -> None:
        super().__init__()
        self.temporal_norm1 = nn.LayerNorm(width, eps=1e-6)
        self.temporal_attn = Attention(width, heads)
        self.temporal_fc = nn.Linear(width, width)
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=1e-6) for _ in range(2))
        self.attn, self.mlp = Attention(width, heads), Mlp(width)
        self.drop_path = DropPath(drop_path)

    def forward(
        self,
        summary: Float[Tensor, "B D"],
        patches: Float[Tensor, "B T P D"],
        mask: Bool[Tensor, "B T"],
    ) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B T P D"]]:
        """The summary token and the patches of each frame, changed; hidden frames are not seen."""
        patches = patches + self._along_time(patches, mask)
        of_summary, of_patches = self._across_space(summary, patches, mask)
        summary, patches = summary + of_summary, patches + of_patches
        both = torch.cat([summary[:, None], patches.flatten(1, 2)], dim=1)
        both = both + self.drop_path(self.mlp(self.norm2(both)))
        return both[:, 0], both[:, 1:].view_as(patches)

    def _along_time(self, patches: Tensor, mask: Tensor) -> Float[Tensor, "B T P D"]:
        count, places = len(patches), patches.shape[2]
        tracks = self.temporal_norm1(patches).transpose(1, 2).flatten(0, 1)  # (BP, T, D)
        hidden = None
        if not mask.all():
            hidden = additive(mask.repeat_interleave(places, dim=0), tracks)[:, None, None]
        found = self.drop_path(self.temporal_attn(tracks, hidden))
        return self.temporal_fc(found.unflatten(0, (count, places))).transpose(1, 2)

    def _across_space(
        self, summary: Tensor, patches: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What each frame finds in itself; the summary token gets the mean over real frames."""
        count, length = patches.shape[:2]
        first = summary[:, None, None].expand(-1, length, -1, -1)  # (B, T, 1, D)
        frames = torch.cat([first, patches], dim=2).flatten(0, 1)  # (BT, 1 + P, D)
        found = self.drop_path(self.attn(self.norm1(frames))).unflatten(0, (count, length))
        return mean_over(found[:, :, 0], mask), found[:, :, 1:]


class TimeSformer(nn.Module):
    """States of a clip: of its summary token, and of each place in the picture, over time."""

    def __init__(self, sizes: VideoSizes) -> None:
        super().__init__()
        width = sizes.width
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + sizes.across**2, width))
        self.time_embed = nn.Parameter(torch.zeros(1, sizes.frames, width))
        self.patch_embed = PatchEmbed(width, sizes.patch)
        rates = torch.linspace(0, sizes.drop_path, sizes.layers, device="cpu").tolist()
        self.blocks = nn.ModuleList([Block(width, sizes.heads, rate) for rate in rates])
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(
        self, frames: Float[Tensor, "B T 3 S S"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B V D"]:
        """The summary token, then the mean over real frames at each place: V = 1 + P states.

        Frames are of the normalised colours, and have the pixels that the model was made for.
        """
        patches = self.patch_embed(frames) + self.pos_embed[:, None, 1:]
        times = self.time_embed[0][times_of(mask, self.time_embed.shape[1])]  # (B, T, D)
        patches = patches + times[:, :, None]
        summary = (self.cls_token + self.pos_embed[:, :1])[:, 0].expand(len(frames), -1)
        for block in self.blocks:
            summary, patches = block(summary, patches, mask)
        states = torch.cat([summary[:, None, None].expand_as(patches[:, :, :1]), patches], dim=2)
        return mean_over(self.norm(states), mask)


def times_of(mask: Bool[Tensor, "B T"], rows: int) -> Int[Tensor, "B T"]:
    """The row of the table of times for each frame.

    The table is stretched to the count of a clip's real frames by taking the nearest row below,
    as torch interpolates by "nearest"; hidden frames have some row, which nothing depends on.
    """
    place = (mask.cumsum(dim=1) - 1).clamp(min=0)
    return place * rows // mask.sum(dim=1, keepdim=True).clamp(min=1)


def mean_over(
    states: Float[Tensor, "B T ..."], mask: Bool[Tensor, "B T"]
) -> Float[Tensor, "B ..."]:
    """The mean over real frames."""
    real = mask.view(*mask.shape, *[1] * (states.ndim - 2))
    summed = states.masked_fill(~real, 0).sum(dim=1)
    return summed / real.sum(dim=1).to(states)
