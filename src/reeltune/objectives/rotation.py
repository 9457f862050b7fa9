"""Rotation (Gidaris et al., 1803.07728): by how many quarters was a picture turned?"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from reeltune.ranks.ranks import sharing

QUARTERS = 4


def draw_turns(count: int) -> Int[Tensor, " N"]:
    """Quarters, 0 to 3, for so many pictures, from torch's global generator."""
    return torch.randint(QUARTERS, (count,))


def turned(
    pictures: Float[Tensor, "N C S S"], turns: Int[Tensor, " N"]
) -> Float[Tensor, "N C S S"]:
    """Each picture turned anticlockwise by so many quarters."""
    every = torch.stack([pictures.rot90(quarter, (2, 3)) for quarter in range(QUARTERS)])
    return every[turns.to(pictures.device), torch.arange(len(pictures), device=pictures.device)]


def rotation(scores: Float[Tensor, "N 4"], turns: Int[Tensor, " N"]) -> Float[Tensor, ""]:
    """Mean cross entropy of the quarters by which pictures were turned."""
    summed = F.cross_entropy(scores, turns.to(scores.device), reduction="sum")
    return sharing().share_of_mean(summed, len(scores))
