"""Losses that teach prompts more of a frozen CLIP than the contrastive one does.

`matching` sets each text and each video against the hardest wrong answer of its batch;
`distillation` holds the scores near those of the same CLIP without prompts, which nobody trains;
`order` shows every other video, drawn at random, with its halves swapped, and a linear head has
to tell from what the prompted tower makes of the frames whether they are.
"""

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from reeltune.models.clip import Clip
from reeltune.nn.precise import precise
from reeltune.objectives.distillation import distillation
from reeltune.objectives.frame_order import frame_order, halves, with_halves_swapped
from reeltune.objectives.hardest_matching import hardest_matching
from reeltune.objectives.objective import Objective
from reeltune.ranks.ranks import sharing
from reeltune.types import Batch

Auxiliary = Literal["matching", "order", "distillation"]
Frames = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # frames, mask -> vectors, mask


def of_hardest(cosines: Tensor, scale: Tensor, group: Tensor) -> Tensor:
    """`hardest_matching` at a temperature of 1 / `scale`."""
    return hardest_matching(scale * cosines, group)


def near_frozen(frozen: Clip, batch: Batch) -> Objective:
    """`distillation` from the scores that the CLIP gives a batch without prompts."""
    with torch.no_grad():
        text = frozen.encode_text(batch.tokens)
        video = frozen.encode_video(batch.frames, batch.mask)
        taught = precise(frozen.similarity(*map(sharing().gather, (text, video))))

    def near(cosines: Tensor, scale: Tensor, group: Tensor) -> Tensor:
        return distillation(scale * cosines, scale * taught.to(cosines.dtype))

    return near


def order_loss(vectors: Frames, head: nn.Linear, batch: Batch) -> Float[Tensor, ""]:
    """`frame_order` of a batch whose videos are swapped by lot, from torch's own generator."""
    swapped = torch.rand(len(batch.mask)) < 0.5
    frames = with_halves_swapped(batch.frames, batch.mask, swapped.to(batch.mask.device))
    states, there = vectors(frames, batch.mask)
    logits = precise(head(halves(states, there).to(head.weight.dtype)))
    device = logits.device
    return frame_order(logits.squeeze(1), swapped.to(device), there.sum(dim=1).to(device))
