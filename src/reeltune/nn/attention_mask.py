"""Which keys attention sees, in the form that every implementation of attention takes."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def additive(seen: Bool[Tensor, "*shape"], like: Tensor) -> Float[Tensor, "*shape"]:
    """The addend of attention's logits: 0 where a key is seen, the lowest number elsewhere.

    A mask of booleans says the same to PyTorch's own attention only: transformers' eager one adds
    whatever mask it is given. The lowest number, unlike minus infinity, leaves no NaN in a row
    that sees nothing. The type of numbers is that of `like`.
    """
    lowest = torch.finfo(like.dtype).min
    return torch.zeros_like(seen, dtype=like.dtype).masked_fill(~seen, lowest)
