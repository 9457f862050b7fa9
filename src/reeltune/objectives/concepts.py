"""Which concepts a video or text holds: binary cross-entropies with soft targets."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from reeltune.ranks.ranks import sharing


def concepts(
    logits: Float[Tensor, "B K"],
    targets: Float[Tensor, "B K"],
    reduction: Literal["sum", "mean"] = "sum",
) -> Float[Tensor, ""]:
    """Mean over rows and concepts; "sum" is that B times, as released Dual Encoding weighs it.

    `targets` are between 0 and 1. From logits, since the logarithm of a sigmoid that has come
    to 0 is not finite.
    """
    mean = F.binary_cross_entropy_with_logits(logits, targets)
    return mean if reduction == "mean" else sharing().world * len(logits) * mean
