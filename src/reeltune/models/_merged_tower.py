"""CLIP's image tower with tokens merged, inside frames and across them (TempMe, 2409.01156).

Before the first join each frame is read by itself, and a fixed number of its tokens is merged in
every layer, between attention and MLP, by their keys (ToMe, 2210.09461). Before a layer that joins,
neighbouring clips, which are single frames at first, become one: their class tokens stand in front,
and a share of all tokens is merged by what they are. From there on a smaller share is merged by
keys in every layer. The last layer merges nothing by keys, since only class tokens are read behind
it.

What follows the authors' released code, where the paper leaves it open: a share is of all tokens,
class tokens included, rounded down; the embedding of a clip's position is added to all of its
tokens, after they were matched and before they are merged. Ours is what becomes of other numbers of
frames than the joins make one clip of: the last clip of a video is joined of fewer, a longer video
ends as several clips, and no frame is left out or padded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel

from reeltune.nn.token_merging import bias, match, merge, most, ones


@dataclass(frozen=True)
class Amounts:
    """How much is merged where."""

    within: int  # tokens of a frame in each layer before the first join
    joins: Mapping[int, int]  # clips that become one before a layer; layers count from 0
    across: float  # share of tokens merged in a join
    inside: float  # share merged in each layer from the first join on


@dataclass(frozen=True)
class Clips:
    """Tokens of N videos of C clips each, of the same make."""

    tokens: Float[Tensor, "N C M W"]
    size: Float[Tensor, "N C M"] | None  # None: nothing was merged
    classes: int  # tokens in front, one for each frame

    def part(self, clips: slice) -> "Clips":
        """Some clips of every video."""
        size = None if self.size is None else self.size[:, clips]
        return Clips(self.tokens[:, clips], size, self.classes)


class MergedTower(nn.Module):
    """The positions alone; the tower is an argument, so that its weights stay in one place."""

    def __init__(self, amounts: Amounts, width: int, frames: int | None) -> None:
        """`frames` are the positions of the first table, and a join leaves the next one fewer;
        None: clips have no positions."""
        super().__init__()
        self.amounts = amounts
        lengths = []
        for clips in amounts.joins.values():
            lengths.append(frames or 0)
            frames = frames and -(-frames // clips)
        self.positions = nn.ParameterList(
            [nn.Parameter(torch.zeros(length, width)) for length in lengths if length]
        )

    def forward(
        self, tower: PreTrainedModel, pixels: Float[Tensor, "R 3 S S"], lengths: Sequence[int]
    ) -> Float[Tensor, "R W"]:
        """The tower's output at the class token of each frame; rows are the frames of videos of
        these lengths, one after another."""
        if not self.amounts.joins:
            return merged_frames(tower, pixels, self.amounts.within)
        layers, first = list(tower.encoder.layers), min(self.amounts.joins)
        alone = _alone(tower, pixels, self.amounts.within, first)
        read: dict[int, Tensor] = {}  # by video
        owners = torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths))
        for length in dict.fromkeys(lengths):
            videos = [number for number, one in enumerate(lengths) if one == length]
            rows = torch.isin(owners, torch.tensor(videos)).to(pixels.device)
            ends = self._together(layers, first, _videos(alone, rows, length))
            read |= zip(videos, ends, strict=True)
        return tower.post_layernorm(torch.cat([read[number] for number in range(len(lengths))]))

    def _together(self, layers: list[Any], first: int, frames: Clips) -> Float[Tensor, "N T W"]:
        """What layers from the `first` one on make of the class tokens of videos of T frames."""
        parts = [frames]
        for number in range(first, len(layers)):
            if number in self.amounts.joins:
                parts = self._joined(parts, number)
            share = 0.0 if number == len(layers) - 1 else self.amounts.inside
            parts = [
                _layer(layers[number], part, int(part.tokens.shape[2] * share)) for part in parts
            ]
        ends = [part.tokens[:, :, : part.classes].flatten(1, 2) for part in parts]
        return torch.cat(ends, dim=1)

    def _joined(self, parts: list[Clips], number: int) -> list[Clips]:
        """Clips of equal make and, where the numbers leave one, a last clip of fewer frames."""
        full, rest = parts[0], parts[1:]
        count, together = full.tokens.shape[1], self.amounts.joins[number]
        whole = count // together * together
        clips = count + len(rest)
        made = []
        if whole:
            some = [full.part(slice(at, whole, together)) for at in range(together)]
            made.append(self._join(some, number, range(whole), clips))
        if left := [full.part(slice(at, at + 1)) for at in range(whole, count)] + rest:
            made.append(self._join(left, number, range(whole, clips), clips))
        return made

    def _join(self, some: list[Clips], number: int, places: range, clips: int) -> Clips:
        """One clip of neighbours, of which `some` has the first ones, the second ones, ...

        `places` are theirs among the `clips` of their video, in the order of the video.
        """
        plain = _beside(some)
        tokens, size = plain.tokens, plain.size
        if len(self.positions):
            table = self.positions[[*self.amounts.joins].index(number)]
            at = torch.tensor(places, device=table.device).unflatten(0, (-1, len(some)))  # (C, G)
            rows = table[(2 * at + 1) * len(table) // (2 * clips)].to(tokens.dtype)  # (C, G, W)
            tokens = tokens + rows[:, _owners(some).to(table.device)]
        if len(some) == 1:
            return Clips(tokens, size, plain.classes)
        wanted = int(tokens.shape[2] * self.amounts.across)
        placed = Clips(tokens, size, plain.classes)
        return _merged(placed, plain.tokens.flatten(0, 1), wanted)


def merged_frames(
    tower: PreTrainedModel, pixels: Float[Tensor, "R 3 S S"], within: int
) -> Float[Tensor, "R W"]:
    """The tower's output at the class token of each frame, of which `within` tokens are merged in
    every layer."""
    alone = _alone(tower, pixels, within, len(tower.encoder.layers))
    seen: Tensor = tower.post_layernorm(alone.tokens[:, 0, 0])
    return seen


def _alone(
    tower: PreTrainedModel, pixels: Float[Tensor, "R 3 S S"], within: int, layers: int
) -> Clips:
    """Frames as the first `layers` of a tower leave them, each read by itself."""
    hidden = tower.pre_layrnorm(tower.embeddings(pixels))  # (R, 1 + M, W)
    frames = Clips(hidden[:, None], None, 1)
    last = len(tower.encoder.layers) - 1
    for number, layer in enumerate(tower.encoder.layers[:layers]):
        frames = _layer(layer, frames, 0 if number == last else within)
    return frames


def _layer(layer: Any, clips: Clips, wanted: int) -> Clips:
    """A layer of CLIP that merges so many tokens of each clip between attention and MLP."""
    hidden, size = clips.tokens.flatten(0, 1), clips.size
    hidden, keys = _attended(layer, hidden, None if size is None else size.flatten(0, 1))
    seen = Clips(hidden.unflatten(0, clips.tokens.shape[:2]), size, clips.classes)
    left = _merged(seen, keys, wanted)
    made = left.tokens + layer.mlp(layer.layer_norm2(left.tokens))
    return Clips(made, left.size, left.classes)


def _attended(layer: Any, hidden: Tensor, size: Tensor | None) -> tuple[Tensor, Tensor]:
    """Hidden states (R, M, W) behind attention, and the mean of the heads' keys (R, M, W / H)."""
    attention = layer.self_attn
    normed = layer.layer_norm1(hidden)
    query, key, value = (
        project(normed).unflatten(-1, (-1, attention.head_dim)).transpose(1, 2)  # (R, H, M, W / H)
        for project in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    mask = None if size is None else bias(size, query.dtype)
    read = F.scaled_dot_product_attention(query, key, value, mask, scale=attention.scale)
    return hidden + attention.out_proj(read.transpose(1, 2).flatten(2)), key.mean(dim=1)


def _merged(clips: Clips, metric: Float[Tensor, "R M K"], wanted: int) -> Clips:
    """Clips of which `wanted` tokens are merged, or as many as there are pairs."""
    shape, tokens = clips.tokens.shape[:2], clips.tokens.flatten(0, 1)
    count = min(wanted, most(tokens.shape[1], clips.classes))
    if count == 0:
        return clips
    size = ones(tokens) if clips.size is None else clips.size.flatten(0, 1)
    tokens, size = merge(tokens, size, match(metric, clips.classes, count))
    return Clips(tokens.unflatten(0, shape), size.unflatten(0, shape), clips.classes)


def _videos(frames: Clips, rows: Tensor, length: int) -> Clips:
    """The frames at some rows as videos of this length."""
    size = None if frames.size is None else frames.size[rows, 0].unflatten(0, (-1, length))
    return Clips(frames.tokens[rows, 0].unflatten(0, (-1, length)), size, frames.classes)


def _beside(some: Sequence[Clips]) -> Clips:
    """Clips joined one by one, all class tokens in front."""
    tokens = _in_order([clips.tokens for clips in some], some)
    size = None
    if any(clips.size is not None for clips in some):
        sizes = [ones(clips.tokens) if clips.size is None else clips.size for clips in some]
        size = _in_order(sizes, some)
    return Clips(tokens, size, sum(clips.classes for clips in some))


def _in_order(values: Sequence[Tensor], some: Sequence[Clips]) -> Tensor:
    pairs = [*zip(values, some, strict=True)]
    front = [value[:, :, : clips.classes] for value, clips in pairs]
    return torch.cat([*front, *(value[:, :, clips.classes :] for value, clips in pairs)], dim=2)


def _owners(some: Sequence[Clips]) -> Tensor:
    """Which of the clips each token of those joined is from."""
    front = [torch.full((clips.classes,), at) for at, clips in enumerate(some)]
    counts = [clips.tokens.shape[2] - clips.classes for clips in some]
    return torch.cat([*front, *(torch.full((count,), at) for at, count in enumerate(counts))])
