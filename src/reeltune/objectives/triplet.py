"""The triplet loss with the hardest negatives of a batch (VSE++, Faghri et al., 1707.05612)."""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

Direction = Literal["both", "t2v", "v2t"]
Reduction = Literal["sum", "mean"]


def triplet(
    scores: Float[Tensor, "B B"],
    *,
    margin: float = 0.2,
    hardest: bool = True,
    direction: Direction = "both",
    reduction: Reduction = "sum",
    group: Int[Tensor, " B"] | None = None,
) -> Float[Tensor, ""]:
    """How far negatives come within `margin` of the true pairs.

    Row i of `scores` is text i against every video, and video i is the true one. A query costs
    [margin + negative - true]_+ of its hardest negative, or the sum of that over all negatives.
    `reduction` is over queries: "sum" as released, "mean" in each direction as in Dual
    Encoding++, so that the sum is B times the mean. Rows of one `group` show the same video and
    are no negatives of each other; without `group` they are, as released.
    """
    own = torch.arange(len(scores), device=scores.device) if group is None else group
    true = own[:, None] == own  # (B, B)
    total = scores.new_zeros(())
    if direction in ("both", "t2v"):
        total = total + _violations(scores, true, margin, hardest)
    if direction in ("both", "v2t"):
        total = total + _violations(scores.T, true, margin, hardest)
    return total if reduction == "sum" else total / len(scores)


def _violations(scores: Tensor, true: Tensor, margin: float, hardest: bool) -> Tensor:
    """Sum over rows; `true` is symmetric."""
    cost = (margin + scores - scores.diag()[:, None]).clamp(min=0).masked_fill(true, 0)  # (B, B)
    return cost.max(dim=1).values.sum() if hardest else cost.sum()
