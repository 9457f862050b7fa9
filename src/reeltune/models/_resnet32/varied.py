"""Pictures as training on CIFAR varies them: shifted by a few places, and mirrored."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

SHARE = 8  # of a side, by which a picture is shifted at most: 4 places of 32


def varied(pictures: Float[Tensor, "N C S S"]) -> Float[Tensor, "N C S S"]:
    """Each picture shifted by its own draw, and mirrored in half of all cases.

    Drawn from torch's global generator, on the CPU.
    """
    most = pictures.shape[-1] // SHARE
    shifts = torch.randint(2 * most + 1, (len(pictures), 2))
    mirrored = torch.rand(len(pictures)) < 0.5
    return moved(pictures, shifts, mirrored, most)


def moved(
    pictures: Float[Tensor, "N C S S"],
    shifts: Int[Tensor, "N 2"],
    mirrored: Bool[Tensor, " N"],
    most: int,
) -> Float[Tensor, "N C S S"]:
    """The square that begins at row and column `shifts` of a picture with `most` zeros around."""
    side, device = pictures.shape[-1], pictures.device
    padded = F.pad(pictures, (most,) * 4).permute(0, 2, 3, 1)
    places = torch.arange(side)
    across = torch.where(mirrored[:, None], places.flip(0), places) + shifts[:, 1:]  # (N, S)
    down = places + shifts[:, :1]
    one = torch.arange(len(pictures), device=device)[:, None, None]
    found = padded[one, down[:, :, None].to(device), across[:, None].to(device)]
    return found.permute(0, 3, 1, 2)
