"""Clips must have a frame, or there is nothing to encode."""

from jaxtyping import Bool
from torch import Tensor

from reeltune.errors import DataError


def require_frames(mask: Bool[Tensor, "B T"]) -> None:
    """Raise DataError for a clip without a real frame."""
    if not mask.any(dim=1).all():
        raise DataError("a video has no frame at all (a row of mask is false); leave it out")
