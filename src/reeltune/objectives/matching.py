"""Matching of texts to videos by cross-entropy, the alignment loss of UniVL (2002.06353)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F


def matching(
    scores: Float[Tensor, "R B"], video: Int[Tensor, " B"] | None = None, first: int = 0
) -> Float[Tensor, ""]:
    """Mean cross-entropy of each text's own video among all videos, in this direction only.

    Entry i, j of `scores` is text `first` + i against video j. Where `video` is equal in two rows
    they show the same video, so the other row is left out of the denominator.
    """
    target = first + torch.arange(len(scores), device=scores.device)  # (R,)
    if video is not None:
        column = torch.arange(len(video), device=scores.device)
        same = (video[target][:, None] == video) & (target[:, None] != column)  # (R, B)
        scores = scores.masked_fill(same, float("-inf"))
    return F.cross_entropy(scores, target)
