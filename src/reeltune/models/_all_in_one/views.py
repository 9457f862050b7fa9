"""Views of a clip: each takes every so many-th of its frames, and scores are means over views."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from torch import Tensor


@dataclass(frozen=True)
class Views:
    """Frames of clips as V views of up to T frames; `mask` is true at real frames, which come first
    in a view. A clip of fewer frames than views has views without any."""

    frames: UInt8[Tensor, "N V T 3 S S"]
    mask: Bool[Tensor, "N V T"]

    @property
    def real(self) -> Bool[Tensor, "N V"]:
        """True at views that have a frame."""
        return self.mask[..., 0]

    def rows(self, chosen: Int[Tensor, " B"]) -> "Views":
        """The chosen clips."""
        return Views(self.frames[chosen], self.mask[chosen])

    def mean(self, of_views: Shaped[Tensor, "R ..."]) -> Float[Tensor, "N ..."]:
        """The mean over the real views of each clip, of what each of those R views has."""
        padded = of_views.new_zeros(*self.real.shape, *of_views.shape[1:])
        padded[self.real] = of_views
        count = self.real.sum(dim=1).to(of_views).view(-1, *[1] * (of_views.ndim - 1))
        return padded.sum(dim=1) / count


def in_views(frames: UInt8[Tensor, "B T 3 S S"], mask: Bool[Tensor, "B T"], views: int) -> Views:
    """Views v, v + `views`, v + 2 `views`, ... of the real frames of each clip."""
    if not (mask[:, :-1] >= mask[:, 1:]).all():  # real frames first, in their order
        order = mask.int().argsort(dim=1, descending=True, stable=True)
        frames, mask = frames[torch.arange(len(mask))[:, None], order], mask.gather(1, order)
    longest = int(mask.sum(dim=1).max())
    each = -(-longest // views)  # frames of a view, rounded up
    there = torch.arange(each * views, device=mask.device).clamp(max=mask.shape[1] - 1)
    real = torch.arange(each * views, device=mask.device) < mask.sum(dim=1, keepdim=True)
    return Views(
        frames[:, there].unflatten(1, (each, views)).transpose(1, 2),
        real.unflatten(1, (each, views)).transpose(1, 2),
    )


def drawn_view(views: Views) -> Views:
    """One of the views of each clip that have a frame, drawn by torch's generator on the CPU."""
    if views.mask.shape[1] == 1:
        return views
    count = views.real.sum(dim=1).cpu()
    chosen = (torch.rand(len(count)) * count).long().clamp(max=count - 1)  # rand may round to 1
    chosen = chosen.to(views.mask.device)
    row = torch.arange(len(chosen), device=chosen.device)
    return Views(views.frames[row, chosen][:, None], views.mask[row, chosen][:, None])
