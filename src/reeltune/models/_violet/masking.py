"""What masked modelling hides of a clip and of a text, drawn from torch's global generator."""

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from reeltune.objectives.masked_language import IGNORED, Masked, choose
from reeltune.types import Tokens

KEPT = 8  # draws: more than the batches of a meta step


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


def inner_words(text: Tokens) -> Bool[Tensor, "B L"]:
    """True at all words but [CLS] and the last token, [SEP]."""
    place = torch.arange(text.mask.shape[1], device=text.mask.device)
    return text.mask & (place > 0) & (place < text.mask.sum(dim=1, keepdim=True) - 1)


def choose_words(text: Tokens, chance: float) -> Bool[Tensor, "B L"]:
    """Each inner word with `chance`, and one at least of a text that has any."""
    return choose(inner_words(text).cpu(), chance).to(text.ids.device)


def hide(text: Tokens, chosen: Bool[Tensor, "B L"], hidden: int) -> Masked:
    """The chosen words become the token `hidden`."""
    ids = text.ids.masked_fill(chosen, hidden)
    return Masked(ids, text.ids.masked_fill(~chosen, IGNORED))


def choose_by_attention(
    words: Float[Tensor, "B L"],
    places: Float[Tensor, "B T P1"],
    text: Tokens,
    seen: Bool[Tensor, "B T"],
    chance: float,
) -> tuple[Bool[Tensor, "B L"], Bool[Tensor, "B T P"]]:
    """Words and places to hide together, drawn in proportion to how much each is looked at.

    Of each row as many as `chance` of all that is real in it, and one at least; never [CLS], [SEP]
    or the state for a whole frame.
    """
    whole = torch.arange(places.shape[2], device=seen.device) == 0
    may = torch.cat([inner_words(text), (seen[..., None] & ~whole).flatten(1)], dim=1).cpu()
    looked = torch.cat([words, places.flatten(1)], dim=1).double().cpu()
    chances = looked.clamp_min(torch.finfo(torch.float32).tiny) * may
    real = (text.mask.sum(1) + seen.sum(1) * places.shape[2]).tolist()
    chosen = torch.zeros_like(may)
    for row, each, count in zip(chosen, chances, real, strict=True):
        row[torch.multinomial(each, max(1, int(chance * count)))] = True
    chosen = chosen.to(seen.device)
    length = text.mask.shape[1]
    return chosen[:, :length], chosen[:, length:].view(places.shape)[..., 1:]


Chosen = tuple[Bool[Tensor, "B L"], Bool[Tensor, "B T H W"]]


class Kept:
    """What was last chosen by attention, by the draw and the texts that it was chosen for.

    The same draw at other weights then hides the same: MELTR's slopes by differences would else
    hold the jump of a loss that guesses another word.
    """

    def __init__(self) -> None:
        self._made: dict[bytes, Chosen] = {}

    def first(self, draw: bytes, made: Chosen) -> Chosen:
        """What was made first in this draw; `made` if nothing was."""
        found = self._made.setdefault(draw, made)
        while len(self._made) > KEPT:
            del self._made[next(iter(self._made))]
        return found
