"""Matching of texts to videos by cross-entropy, the alignment loss of UniVL (2002.06353)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F


def matching(
    scores: Float[Tensor, "B B"], video: Int[Tensor, " B"] | None = None
) -> Float[Tensor, ""]:
    """Mean cross-entropy of each text's own video among all videos, in this direction only.

    Entry i, j of `scores` is text i against video j. Where `video` is equal in two rows they
    show the same video, so the other row is left out of the denominator.
    """
    target = torch.arange(len(scores), device=scores.device)
    if video is not None:
        same = (video[:, None] == video) & (target[:, None] != target)  # (B, B)
        scores = scores.masked_fill(same, float("-inf"))
    return F.cross_entropy(scores, target)
