"""Symmetric InfoNCE, the contrastive loss of CLIP (Radford et al., 2103.00020, figure 3)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F


def info_nce(
    logits: Float[Tensor, "B B"], video: Int[Tensor, " B"] | None = None
) -> Float[Tensor, ""]:
    """Mean of the cross-entropies of texts over videos and of videos over texts.

    Row i of `logits` is text i against every video, already scaled. Where `video` is equal in
    two rows they show the same video, so the one's text is no wrong answer for the other: such
    pairs are left out of the denominators. With 20 captions per video, one batch of 128 in two
    holds such a pair.
    """
    target = torch.arange(len(logits), device=logits.device)
    if video is not None:
        same = (video[:, None] == video) & (target[:, None] != target)  # (B, B)
        logits = logits.masked_fill(same, float("-inf"))
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
