"""A binary loss on the hardest wrong pair of each row: which of two videos is a text's own."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F


def hardest_matching(
    logits: Float[Tensor, "B B"], video: Int[Tensor, " B"] | None = None
) -> Float[Tensor, ""]:
    """Mean of log(1 + exp(hardest wrong - own)) over texts, and the same over videos, halved.

    Row i of `logits` is text i against every video, already scaled. It is the cross-entropy of
    choosing between the own answer and the wrong one that looks most like it, which is what a
    matching head of a cross encoder learns from hard negatives (ALBEF, 2107.07651, section 3.2).
    Where `video` is equal in two rows they show the same video and are no wrong answers; a row
    without a wrong answer costs nothing, and is not counted.
    """
    own = torch.arange(len(logits), device=logits.device) if video is None else video
    wrong = own[:, None] != own  # (B, B), symmetric
    return (_of_rows(logits, wrong) + _of_rows(logits.T, wrong)) / 2


def _of_rows(logits: Tensor, wrong: Tensor) -> Tensor:
    lowest = torch.finfo(logits.dtype).min
    hardest = logits.masked_fill(~wrong, lowest).max(dim=1).values  # (B,)
    counted = wrong.any(dim=1)
    cost = F.softplus(hardest - logits.diagonal()).masked_fill(~counted, 0)
    return cost.sum() / counted.sum().clamp(min=1)
