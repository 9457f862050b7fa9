"""Keeps scores near those of a frozen teacher (Hinton et al., 1503.02531, on similarities)."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def distillation(logits: Float[Tensor, "B B"], taught: Float[Tensor, "B B"]) -> Float[Tensor, ""]:
    """Mean of the divergences KL(teacher || student) of the two directions.

    Row i of both is text i against every video, already scaled. A row of the teacher is a
    distribution over videos, a column one over texts. Nothing is a wrong answer here, so rows
    that show the same video need no exception.
    """
    return (_of_rows(logits, taught) + _of_rows(logits.T, taught.T)) / 2


def _of_rows(logits: Tensor, taught: Tensor) -> Tensor:
    wanted, found = taught.log_softmax(dim=1), logits.log_softmax(dim=1)
    return F.kl_div(found, wanted, reduction="batchmean", log_target=True)
