"""Video Swin from its definition, one place at a time, by the weights of the network under test.

Two places of a video see each other where they lie in the same window, and windows are boxes that
begin at the shift: nothing is rolled, cut or masked.
"""

from functools import cache
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

Box = tuple[int, int, int]


def slow_swin(swin: Any, clip: Tensor, real: list[bool]) -> Tensor:
    """Places (T, H, W, C) of one normalised clip (T, 3, S, S); hidden frames are 0."""
    video = slow_patches(swin.patch_embed, clip * torch.tensor(real)[:, None, None, None])
    for stage in swin.layers:
        for number, block in enumerate(stage.blocks):
            video = slow_block(block, video, stage.window, number % 2 == 1, real)
        if stage.downsample is not None:
            video = slow_merging(stage.downsample, video)
    return norm(swin.norm, video)


def norm(layer: Any, states: Tensor) -> Tensor:
    mean = states.mean(dim=-1, keepdim=True)
    spread = ((states - mean) ** 2).mean(dim=-1, keepdim=True)
    return (states - mean) / (spread + 1e-5).sqrt() * layer.weight + layer.bias


def slow_patches(embed: Any, clip: Tensor) -> Tensor:
    """Each frame with the one behind it, the last with black, in squares of 4 by 4 pixels."""
    frames, _, side, _ = clip.shape
    weight, places = embed.proj.weight, range(side // 4)  # (C, 3, 2, 4, 4)
    video = torch.empty(frames, len(places), len(places), len(weight), dtype=clip.dtype)
    for t, i, j in product(range(frames), places, places):
        total = embed.proj.bias.clone()
        for ahead in (0, 1):
            if t + ahead < frames:
                patch = clip[t + ahead, :, 4 * i : 4 * i + 4, 4 * j : 4 * j + 4]
                total = total + (weight[:, :, ahead] * patch).flatten(1).sum(dim=1)
        video[t, i, j] = total
    return norm(embed.norm, video)


def slow_block(block: Any, video: Tensor, largest: Box, shifted: bool, real: list[bool]) -> Tensor:
    attended = slow_attention(block.attn, norm(block.norm1, video), largest, shifted, real)
    video = video + attended
    wide = F.gelu(norm(block.norm2, video) @ block.mlp.fc1.weight.T + block.mlp.fc1.bias)
    return video + wide @ block.mlp.fc2.weight.T + block.mlp.fc2.bias


def slow_attention(
    attention: Any, video: Tensor, largest: Box, shifted: bool, real: list[bool]
) -> Tensor:
    sizes, table = video.shape[:3], attention.relative_position_bias_table
    width = video.shape[3] // attention.heads
    query, key, value = (video @ attention.qkv.weight.T + attention.qkv.bias).split(
        video.shape[3], dim=3
    )
    places = list(product(*map(range, sizes)))
    found = torch.zeros_like(video)
    for asking in places:
        seen = [
            place
            for place in places
            if real[place[0]]
            and window_of(place, sizes, largest, shifted)
            == window_of(asking, sizes, largest, shifted)
        ]
        if not seen:
            continue  # a hidden frame: nobody looks at what it has
        for head in range(attention.heads):
            part = slice(head * width, (head + 1) * width)
            scores = torch.stack(
                [
                    query[asking][part] @ key[place][part] / width**0.5
                    + table[row_of(asking, place, largest), head]
                    for place in seen
                ]
            )
            weights = scores.softmax(dim=0)
            found[asking][part] = sum(
                w * value[p][part] for w, p in zip(weights, seen, strict=True)
            )
    return found @ attention.proj.weight.T + attention.proj.bias


def window_of(place: Box, sizes: Any, largest: Box, shifted: bool) -> list[int]:
    """Which window a place is in, along each axis; an axis that one window covers has one."""
    return [
        0 if size <= most else (at - (most // 2 if shifted else 0)) // most
        for at, size, most in zip(place, sizes, largest, strict=True)
    ]


def row_of(asking: Box, place: Box, largest: Box) -> int:
    """The place in a table that goes through all differences in time, height and width."""
    return differences(largest).index(tuple(a - b for a, b in zip(asking, place, strict=True)))


@cache
def differences(largest: Box) -> list[Box]:
    """All that there are between places of one window, in the order of the table."""
    return list(product(*(range(-most + 1, most) for most in largest)))


def slow_merging(merging: Any, video: Tensor) -> Tensor:
    """Each square of four places, read down its left and then its right column, becomes one."""
    frames, height, width, _ = video.shape
    rows = [
        torch.cat([video[t, 2 * i + down, 2 * j + right] for right in (0, 1) for down in (0, 1)])
        for t, i, j in product(range(frames), range(height // 2), range(width // 2))
    ]
    joined = torch.stack(rows).view(frames, height // 2, width // 2, -1)
    return norm(merging.norm, joined) @ merging.reduction.weight.T
