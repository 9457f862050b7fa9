"""What masked modelling hides of a clip and of a text, drawn from torch's global generator."""

import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from reeltune.objectives.masked_language import IGNORED, Masked, choose
from reeltune.types import Tokens


def mask_blocks(seen: Bool[Tensor, "B T"], side: int) -> Bool[Tensor, "B T H W"]:
    """True at places that are covered: of each clip, as many blocks as it has real frames.

    A block has fewer frames than the clip and less than two thirds of a frame's height and width,
    but one at least; all sizes are equally likely, and all positions of a size.
    """
    covered = torch.zeros(*seen.shape, side, side, dtype=torch.bool)
    most = 2 * side // 3 - 1
    for clip, real in zip(covered, seen.cpu(), strict=True):
        there = real.nonzero().squeeze(1)
        for _ in range(len(there)):
            frames = there[_span(len(there) - 1, len(there))]
            clip[frames, _span(most, side), _span(most, side)] = True
    return covered.to(seen.device)


def _span(longest: int, whole: int) -> slice:
    """A part of `whole` places in a row, of at most `longest` and at least one."""
    length = 1 + int(torch.randint(max(1, longest), ()))
    start = int(torch.randint(whole - length + 1, ()))
    return slice(start, start + length)


def cover(
    clips: UInt8[Tensor, "B T 3 S S"], covered: Bool[Tensor, "B T H W"]
) -> UInt8[Tensor, "B T 3 S S"]:
    """Clips with the covered places black."""
    cell = clips.shape[-1] // covered.shape[-1]
    pixels = covered.repeat_interleave(cell, dim=2).repeat_interleave(cell, dim=3)
    return clips.masked_fill(pixels[:, :, None].to(clips.device), 0)


def hide_words(text: Tokens, hidden: int, chance: float) -> Masked:
    """Each word becomes the token `hidden` with `chance`, and one at least of a text that has any;
    [CLS] and the last token, [SEP], never do."""
    place = torch.arange(text.mask.shape[1], device=text.mask.device)
    inner = text.mask & (place > 0) & (place < text.mask.sum(dim=1, keepdim=True) - 1)
    chosen = choose(inner.cpu(), chance).to(text.ids.device)
    ids = text.ids.masked_fill(chosen, hidden)
    return Masked(ids, text.ids.masked_fill(~chosen, IGNORED))
