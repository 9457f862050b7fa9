"""Parts of the picture whose content is guessed: the crops of prompting entity modeling."""

import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from reeltune.errors import ConfigError

AREA = (0.3, 0.5)  # of the picture, as in the release
RATIO = (0.3, 1 / 0.3)  # of height to width
TRIES = 1000


def draw_crops(count: int, across: int) -> Bool[Tensor, "B H W"]:
    """For each clip a rectangle of a picture of `across` x `across` patches, true inside.

    Area and ratio are drawn evenly from their ranges, and sides are rounded down to whole patches,
    but to one at least; then its place is drawn evenly. It is drawn on the CPU by torch's own
    generator.
    """
    inside = torch.zeros(count, across, across, dtype=torch.bool)
    for clip in inside:
        height, width = _sides(across)
        top, left = (_whole(across - side + 1) for side in (height, width))
        clip[top : top + height, left : left + width] = True
    return inside


def _sides(across: int) -> tuple[int, int]:
    """Height and width in patches, within the picture."""
    for _ in range(TRIES):
        area, ratio = (_between(*bounds) for bounds in (AREA, RATIO))
        height, width = (
            max(1, int((area * across**2 * times) ** 0.5)) for times in (ratio, 1 / ratio)
        )
        if max(height, width) <= across:
            return height, width
    raise ConfigError(f"no crop fits in {across} x {across} patches; make config.patch smaller")


def _between(low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand(()))


def _whole(below: int) -> int:
    return int(torch.randint(below, ()))


def in_pixels(inside: Bool[Tensor, "B H W"], patch: int) -> Bool[Tensor, "B S S"]:
    """Rectangles of patches as rectangles of pixels."""
    return inside.repeat_interleave(patch, dim=1).repeat_interleave(patch, dim=2)


def on_black(frames: UInt8[Tensor, "B T 3 S S"], inside: Bool[Tensor, "B S S"]) -> Tensor:
    """The frames with everything outside the rectangles black."""
    return frames * inside[:, None, None].to(frames)
