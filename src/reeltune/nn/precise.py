"""Numbers in the precision that sums of many of them need."""

import torch
from torch import Tensor


def precise(values: Tensor) -> Tensor:
    """The tensor in float32 or finer."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
