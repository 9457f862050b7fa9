"""Windows of a video's places in time, height and width, shifted or not (Video Swin, 2106.13230).

Only places of one window attend to each other. Where windows are shifted, those at the edge hold
places from both ends of the video, which must not: a place's two ends are its regions.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from math import ceil, prod

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor
from torch.nn import functional as F

Box = tuple[int, int, int]  # in time, height and width


@dataclass(frozen=True)
class Windows:
    """How a video of some size is cut; a side that a window covers is never shifted."""

    size: Box  # T, H, W
    window: Box
    shift: Box

    @classmethod
    def over(cls, size: Box, largest: Box, shifted: bool) -> "Windows":
        """Windows of `largest`, or the video's own size where that is smaller; `shifted` ones by
        half of it."""
        covered = [side <= most for side, most in zip(size, largest, strict=True)]
        shift = (
            0 if whole or not shifted else most // 2
            for whole, most in zip(covered, largest, strict=True)
        )
        return cls(size, _box(map(min, size, largest)), _box(shift))

    @property
    def count(self) -> Box:
        """Windows along each side, the last of which may reach over the end."""
        return _box(ceil(side / part) for side, part in zip(self.size, self.window, strict=True))

    @property
    def padded(self) -> Box:
        """The size with which they are filled."""
        return _box(number * part for number, part in zip(self.count, self.window, strict=True))

    def cut(self, video: Shaped[Tensor, "B T H W C"]) -> Shaped[Tensor, "BM N C"]:
        """The windows of each video; places that fill the last ones are 0."""
        more = [whole - side for side, whole in zip(self.size, self.padded, strict=True)]
        video = F.pad(video, (0, 0, 0, more[2], 0, more[1], 0, more[0]))
        if any(self.shift):
            video = video.roll([-step for step in self.shift], dims=(1, 2, 3))
        (a, b, c), (t, h, w) = self.count, self.window
        parts = video.view(len(video), a, t, b, h, c, w, -1).permute(0, 1, 3, 5, 2, 4, 6, 7)
        return parts.reshape(len(video) * a * b * c, t * h * w, -1)

    def join(self, windows: Shaped[Tensor, "BM N C"]) -> Shaped[Tensor, "B T H W C"]:
        """The videos of which these are the windows."""
        (a, b, c), (t, h, w) = self.count, self.window
        parts = windows.view(-1, a, b, c, t, h, w, windows.shape[-1]).permute(
            0, 1, 4, 2, 5, 3, 6, 7
        )
        video = parts.reshape(len(parts), *self.padded, -1)
        if any(self.shift):
            video = video.roll(self.shift, dims=(1, 2, 3))
        t, h, w = self.size
        return video[:, :t, :h, :w]

    def allowed(self, seen: Bool[Tensor, "B T"]) -> Bool[Tensor, "BM N N"]:
        """Which keys each query of a window sees: those of real frames and of its own region."""
        places = seen[:, :, None, None].expand(-1, -1, *self.size[1:])
        keys = self.cut(places[..., None].to(torch.uint8)).squeeze(-1).bool()  # (BM, N)
        region = self._region(seen.device)  # (M, N)
        same = region[:, :, None] == region[:, None]  # (M, N, N)
        return keys[:, None] & same.repeat(len(seen), 1, 1)

    def _region(self, device: torch.device) -> Int[Tensor, "M N"]:
        """A number that places share which come from the same ends of the video."""
        region = torch.zeros((), dtype=torch.long, device=device)
        for side, step in zip(self.padded, self.shift, strict=True):
            wrapped = torch.arange(side, device=device) >= side - step
            region = 2 * region[..., None] + wrapped
        unshifted = Windows(self.padded, self.window, (0, 0, 0))
        return unshifted.cut(region[None, ..., None]).squeeze(-1)


def offsets(window: Box, largest: Box, device: torch.device) -> Int[Tensor, "N N"]:
    """Rows of a table of biases by how far a query is from a key in time, height and width.

    The table is made for windows of `largest`, and also serves smaller ones.
    """
    places = torch.tensor(list(product(*map(range, window))), device=device)  # (N, 3)
    apart = places[:, None] - places[None]  # (N, N, 3)
    row = torch.zeros(apart.shape[:2], dtype=torch.long, device=device)
    for axis, most in enumerate(largest):
        row = row * (2 * most - 1) + apart[..., axis] + most - 1
    return row


def biases(largest: Box) -> int:
    """How many rows such a table has."""
    return prod(2 * most - 1 for most in largest)


def bias_of(
    table: Float[Tensor, "R heads"], window: Box, largest: Box
) -> Float[Tensor, "heads N N"]:
    """The bias of every query for every key of a window, by head."""
    return table[offsets(window, largest, table.device)].permute(2, 0, 1)


def _box(sides: Iterable[int]) -> Box:
    first, second, third = sides
    return first, second, third
