"""Generalised Jaccard similarity of non-negative vectors."""

import torch
from jaxtyping import Float
from torch import Tensor

AT_ONCE = 2**26  # products Q x N x K of one step; on a GPU the backward pass holds as many floats


def jaccard(text: Float[Tensor, "Q K"], video: Float[Tensor, "N K"]) -> Float[Tensor, "Q N"]:
    """sum_k min / sum_k max of every pair of rows; 0 for two rows of zeros.

    As min(a, b) = (a + b - |a - b|) / 2, and max likewise, both sums follow from the sums of the
    rows and their L1 distance, so nothing of size Q x N x K is held.
    """
    rows = max(1, AT_ONCE // max(1, video.numel()))
    parts = [_jaccard(some, video) for some in text.split(rows)]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _jaccard(text: Tensor, video: Tensor) -> Tensor:
    apart = torch.cdist(text, video, p=1)  # (Q, N)
    both = text.sum(dim=1)[:, None] + video.sum(dim=1)  # (Q, N)
    return (both - apart) / (both + apart).clamp(min=torch.finfo(both.dtype).tiny)
