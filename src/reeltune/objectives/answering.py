"""Losses of answers: cross entropy of those that are known, and absolute errors of ratings."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from reeltune.ranks.ranks import sharing


def answering(scores: Float[Tensor, "B O"], label: Int[Tensor, " B"]) -> Float[Tensor, ""]:
    """Mean cross entropy over rows whose answer is known: `label` is not -1. 0 if none is."""
    known = label >= 0
    summed = F.cross_entropy(scores, label.to(scores.device), ignore_index=-1, reduction="sum")
    return sharing().share_of_mean(summed, known.sum())


def rating(scores: Float[Tensor, " B"], wanted: Float[Tensor, " B"]) -> Float[Tensor, ""]:
    """Mean absolute error, which is how sentiment on CMU-MOSI is measured and taught."""
    return torch.mean((scores - wanted.to(scores)).abs())
