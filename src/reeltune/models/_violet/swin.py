"""Video Swin (2106.13230) as Violet has it: time is never made coarser, and names are those of
its release. At the defaults it has 49,509,078 weights.

A clip is cut into patches of 2 frames by 4 by 4 pixels, one for each frame: a frame is read with
the one behind it, the last with black. Hidden frames are black too, and no frame attends to them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from reeltune.models._violet.windows import Box, Windows, bias_of, biases
from reeltune.nn.attention_mask import additive

PATCH = 4  # pixels
IN_TIME = 8  # frames of a window


@dataclass(frozen=True)
class SwinSizes:
    """Sizes of the network; the defaults are the released ones."""

    width: int = 96  # of the first stage; each later one is twice as wide
    depths: tuple[int, ...] = (2, 2, 18, 2)
    heads: tuple[int, ...] = (3, 6, 12, 24)
    window: int = 7  # places of a side
    drop_path: float = 0.2  # chance with which the last block is skipped; less in earlier ones

    @property
    def widths(self) -> tuple[int, ...]:
        return tuple(self.width * 2**stage for stage in range(len(self.depths)))

    @property
    def cell(self) -> int:
        """Pixels of a side of what becomes one place in the end."""
        return PATCH * 2 ** (len(self.depths) - 1)


class PatchEmbed(nn.Module):
    """Patches as vectors."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv3d(3, width, (2, PATCH, PATCH), stride=(1, PATCH, PATCH))
        self.norm = nn.LayerNorm(width)

    def forward(self, clips: Float[Tensor, "B T 3 S S"]) -> Float[Tensor, "B T H W C"]:
        ahead = F.pad(clips.transpose(1, 2), (0, 0, 0, 0, 0, 1))  # (B, 3, T + 1, S, S)
        return self.norm(self.proj(ahead).permute(0, 2, 3, 4, 1))


class WindowAttention(nn.Module):
    """Attention within windows, biased by how far places are from each other."""

    def __init__(self, width: int, heads: int, window: Box) -> None:
        super().__init__()
        self.heads, self.largest = heads, window
        self.relative_position_bias_table = nn.Parameter(torch.empty(biases(window), heads))
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(
        self, places: Float[Tensor, "BM N C"], mask: Float[Tensor, "BM N N"], window: Box
    ) -> Float[Tensor, "BM N C"]:
        """`mask` is added to the scores of all heads."""
        query, key, value = (
            self.qkv(places).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        )
        bias = bias_of(self.relative_position_bias_table, window, self.largest)
        found = F.scaled_dot_product_attention(query, key, value, mask[:, None] + bias)
        return self.proj(found.transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    """Two linear maps with a wide middle."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, places: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(places)))


class Block(nn.Module):
    """Attention, then an MLP; either is skipped for a clip with a chance while training."""

    def __init__(self, width: int, heads: int, window: Box, skip: float) -> None:
        super().__init__()
        self.skip = skip
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn, self.mlp = WindowAttention(width, heads, window), Mlp(width)

    def forward(
        self, video: Float[Tensor, "B T H W C"], windows: Windows, mask: Tensor
    ) -> Float[Tensor, "B T H W C"]:
        cut = windows.cut(self.norm1(video))
        video = video + self._some(windows.join(self.attn(cut, mask, windows.window)))
        return video + self._some(self.mlp(self.norm2(video)))

    def _some(self, change: Float[Tensor, "B T H W C"]) -> Float[Tensor, "B T H W C"]:
        if not self.training or not self.skip:
            return change
        kept = torch.rand(len(change), 1, 1, 1, 1, device=change.device) >= self.skip
        return change * kept.to(change) / (1 - self.skip)


class PatchMerging(nn.Module):
    """Four neighbours become one place of twice the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)
        self.norm = nn.LayerNorm(4 * width)

    def forward(self, video: Float[Tensor, "B T H W C"]) -> Float[Tensor, "B T h w E"]:
        rows = [video[:, :, down::2, right::2] for right in (0, 1) for down in (0, 1)]
        return self.reduction(self.norm(torch.cat(rows, dim=-1)))


class Stage(nn.Module):
    """Blocks of one width; every second one has shifted windows."""

    def __init__(self, width: int, heads: int, skips: list[float], window: Box, last: bool) -> None:
        super().__init__()
        self.window = window
        self.blocks = nn.ModuleList([Block(width, heads, window, skip) for skip in skips])
        self.downsample = None if last else PatchMerging(width)

    def forward(
        self, video: Float[Tensor, "B T H W C"], seen: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B T h w E"]:
        size = (video.shape[1], video.shape[2], video.shape[3])
        ways = [Windows.over(size, self.window, shifted) for shifted in (False, True)]
        masks = [additive(way.allowed(seen), video) for way in ways]
        for number, block in enumerate(self.blocks):
            video = block(video, ways[number % 2], masks[number % 2])
        return video if self.downsample is None else self.downsample(video)


class VideoSwin(nn.Module):
    """Frames of clips to places of the last stage."""

    def __init__(self, sizes: SwinSizes) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(sizes.width)
        window = (IN_TIME, sizes.window, sizes.window)
        last = len(sizes.depths) - 1
        self.layers = nn.ModuleList(
            [
                Stage(width, heads, skips, window, stage == last)
                for stage, (width, heads, skips) in enumerate(
                    zip(sizes.widths, sizes.heads, _skips(sizes), strict=True)
                )
            ]
        )
        self.norm = nn.LayerNorm(sizes.widths[-1])

    def forward(
        self, clips: Float[Tensor, "B T 3 S S"], seen: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B T H W C"]:
        """Places of each frame; what stands at frames that are not `seen` means nothing."""
        video = self.patch_embed(clips * seen[:, :, None, None, None])
        for stage in self.layers:
            video = stage(video, seen)
        return self.norm(video)


def _skips(sizes: SwinSizes) -> Iterator[list[float]]:
    """Chances of being skipped, by stage, that grow evenly over all blocks."""
    blocks = sum(sizes.depths)
    every = [sizes.drop_path * block / max(1, blocks - 1) for block in range(blocks)]
    ends = [sum(sizes.depths[:stage]) for stage in range(len(sizes.depths) + 1)]
    yield from (every[first:end] for first, end in pairwise(ends))
