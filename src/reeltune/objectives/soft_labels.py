"""Cross entropy with chances as labels, of those rows alone whose labels are confident."""

import torch
from jaxtyping import Float
from torch import Tensor

from reeltune.ranks.ranks import sharing


def soft_labels(
    logits: Float[Tensor, "B C"], chances: Float[Tensor, "B C"], at_least: float = 0.0
) -> Float[Tensor, ""]:
    """Mean over rows whose highest chance is `at_least` so much; 0 where there is none."""
    confident = chances.amax(dim=1) >= at_least
    each = -(logits.log_softmax(dim=1) * chances.to(logits)).sum(dim=1)
    kept = torch.where(confident, each, torch.zeros_like(each))
    return sharing().share_of_mean(kept.sum(), confident.sum())
