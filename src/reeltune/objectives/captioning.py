"""Captioning by teacher forcing: each word from those before it."""

from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from reeltune.ranks.ranks import sharing


def captioning(
    logits: Float[Tensor, "B L V"], following: Int[Tensor, "B L"], real: Bool[Tensor, "B L"]
) -> Float[Tensor, ""]:
    """Mean cross-entropy of the following words, over those that are `real`.

    The release of UniVL gives no padding to be ignored, so there it is trained as well; pass a
    `real` that is true everywhere for the same.
    """
    summed = F.cross_entropy(logits[real], following[real], reduction="sum")
    return sharing().share_of_mean(summed, real.sum())
