"""Visual tokens: a number for each place of a frame, which masked visual modelling guesses.

They are those of a codebook of our own, fitted on patches of training frames, or those of the
public dVAE (`dvae.py`). Either reads a frame at 8 pixels for a side of a place.
"""

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

CODE = 8  # pixels of a side of what becomes one token
ROUNDS = 10  # of k-means
AT_ONCE = 1 << 12  # patches whose distances to all centres are held at once


def shrunk(frames: UInt8[Tensor, "B 3 S S"], side: int) -> Float[Tensor, "B 3 R R"]:
    """Frames from 0 to 1 at 8 pixels for each of `side` places; R is their product."""
    pictures = frames.to(torch.float32) / 255
    return F.interpolate(pictures, (CODE * side,) * 2, mode="bilinear", antialias=True)


class Codebook(nn.Module):
    """Typical patches; a patch's token is the number of the one that is nearest."""

    centres: Float[Tensor, "K 192"]

    def __init__(self, codes: int) -> None:
        super().__init__()
        self.register_buffer("centres", torch.rand(codes, 3 * CODE**2))

    @torch.no_grad()
    def tokens(self, frames: UInt8[Tensor, "B 3 S S"], side: int) -> Int[Tensor, "B P"]:
        """Tokens of each place of a frame, row by row."""
        patches = patches_of(frames, side).to(self.centres)
        return nearest(patches.flatten(0, 1), self.centres).view(len(frames), -1)

    @torch.no_grad()
    def fit(self, patches: Float[Tensor, "N 192"]) -> None:
        """Centres of the patches by k-means, begun from some of them that torch's global generator
        draws; a centre that no patch is near goes on from another of them."""
        self.centres.copy_(some(patches, len(self.centres)))
        for _ in range(ROUNDS):
            near = nearest(patches, self.centres)
            sums = torch.zeros_like(self.centres).index_add_(0, near, patches)
            count = near.bincount(minlength=len(sums))[:, None]
            alone = count == 0
            fresh = some(patches, len(sums))
            self.centres.copy_(torch.where(alone, fresh, sums / count.clamp(min=1)))


def patches_of(frames: UInt8[Tensor, "B 3 S S"], side: int) -> Float[Tensor, "B P 192"]:
    """The patch of each place of a frame, from 0 to 1."""
    return F.unfold(shrunk(frames, side), CODE, stride=CODE).transpose(1, 2)


def nearest(patches: Float[Tensor, "N 192"], centres: Float[Tensor, "K 192"]) -> Int[Tensor, " N"]:
    """The number of the centre that is nearest to each patch."""
    parts = patches.split(AT_ONCE)
    return torch.cat([torch.cdist(part, centres).argmin(dim=1) for part in parts])


def some(patches: Float[Tensor, "N 192"], count: int) -> Float[Tensor, "K 192"]:
    """`count` patches in a random order, some of them again where there are too few."""
    order = torch.cat([torch.randperm(len(patches)) for _ in range(-(-count // len(patches)))])
    return patches[order[:count].to(patches.device)]
