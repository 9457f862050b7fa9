"""Which of the two halves of a video came first: clips are shown with halves swapped, or not."""

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor
from torch.nn import functional as F

from reeltune.ranks.ranks import sharing


def with_halves_swapped(
    frames: Shaped[Tensor, "B T ..."], mask: Bool[Tensor, "B T"], swapped: Bool[Tensor, " B"]
) -> Shaped[Tensor, "B T ..."]:
    """The frames, in which the second half of a `swapped` video stands before its first half.

    Of n real frames the first half are n // 2. Frames that the mask hides stay where they are.
    """
    count = mask.sum(dim=1, keepdim=True).clamp(min=1)  # (B, 1)
    place = mask.cumsum(dim=1) - 1  # (B, T), of real frames
    real = (~mask).int().argsort(dim=1, stable=True)  # (B, T): where real frame 0, 1, ... stands
    source = real.gather(1, (place.clamp(min=0) + count // 2) % count)
    here = torch.arange(mask.shape[1], device=mask.device).expand_as(mask)
    chosen = torch.where(mask & swapped[:, None], source, here).to(frames.device)
    return frames[torch.arange(len(frames), device=frames.device)[:, None], chosen]


def halves(states: Float[Tensor, "B T D"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B 2*D"]:
    """The mean state of the first n // 2 of n real frames, and that of the others."""
    count, place = mask.sum(dim=1, keepdim=True), mask.cumsum(dim=1) - 1
    early = mask & (place < count // 2)
    return torch.cat([_mean(states, early), _mean(states, mask & ~early)], dim=1)


def frame_order(
    logits: Float[Tensor, " B"], swapped: Bool[Tensor, " B"], frames: Int[Tensor, " B"]
) -> Float[Tensor, ""]:
    """Mean binary cross-entropy of "the halves are swapped", over videos of two frames or more."""
    counted = frames > 1
    cost = F.binary_cross_entropy_with_logits(logits, swapped.to(logits), reduction="none")
    return sharing().share_of_mean(cost.masked_fill(~counted, 0).sum(), counted.sum())


def _mean(states: Tensor, mask: Tensor) -> Tensor:
    kept = states.masked_fill(~mask[..., None], 0).sum(dim=1)
    return kept / mask.sum(dim=1, keepdim=True).clamp(min=1).to(kept)
