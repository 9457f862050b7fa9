"""Max-margin ranking over all pairs of a batch, the joint loss of UniVL (2002.06353, release)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F


def max_margin(
    scores: Float[Tensor, "B B"], video: Int[Tensor, " B"] | None = None, margin: float = 0.1
) -> Float[Tensor, ""]:
    """Mean over all B x B pairs of the hinges of both directions.

    Entry i, j of `scores` is text i against video j. The mean takes in the diagonal, as the
    release's does, which adds a constant 2 margin / B. Pairs of two rows that show the same
    video (equal in `video`) are no negatives: their hinges count as zero.
    """
    own = scores.diagonal()  # (B,)
    hinges = F.relu(margin + scores - own[:, None]) + F.relu(margin + scores - own)  # (B, B)
    if video is not None:
        row = torch.arange(len(scores), device=scores.device)
        same = (video[:, None] == video) & (row[:, None] != row)
        hinges = hinges.masked_fill(same, 0)
    return hinges.mean()
