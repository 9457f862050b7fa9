"""Divided attention of TimeSformer from its definition: one place, one frame, one head at a time.

A clip is given without hidden frames; nothing is computed for two places at once.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from reeltune.models._alpro.timesformer import Block, TimeSformer
from reeltune.models._vit.layers import Attention
from reeltune.models._vit.layers import Block as PlainBlock


def attend(attention: Attention, states: Sequence[Tensor]) -> list[Tensor]:
    """What each of the states (D) finds in all of them."""
    width = len(states[0])
    each = width // attention.heads
    weight, bias = attention.qkv.weight, attention.qkv.bias
    query, key, value = (
        [weight[part * width : (part + 1) * width] @ s + bias[part * width : (part + 1) * width]
         for s in states]
        for part in range(3)
    )  # fmt: skip
    found = []
    for asking in query:
        heads = []
        for head in range(attention.heads):
            mine = slice(head * each, (head + 1) * each)
            scores = [float(asking[mine] @ k[mine]) / math.sqrt(each) for k in key]
            total = sum(math.exp(score) for score in scores)
            chances = [math.exp(score) / total for score in scores]
            heads.append(sum(c * v[mine] for c, v in zip(chances, value, strict=True)))
        found.append(attention.proj.weight @ torch.cat(heads) + attention.proj.bias)
    return found


def normed(norm: torch.nn.LayerNorm, state: Tensor) -> Tensor:
    spread = ((state - state.mean()) ** 2).mean()
    return (state - state.mean()) / (spread + norm.eps).sqrt() * norm.weight + norm.bias


def widened(block: Block | PlainBlock, state: Tensor) -> Tensor:
    inner = F.gelu(block.mlp.fc1.weight @ normed(block.norm2, state) + block.mlp.fc1.bias)
    return state + block.mlp.fc2.weight @ inner + block.mlp.fc2.bias


def slow_block(
    block: Block, summary: Tensor, frames: list[list[Tensor]]
) -> tuple[Tensor, list[list[Tensor]]]:
    """The summary (D) and the patches of each frame after one block."""
    moved = [list(frame) for frame in frames]
    for place in range(len(frames[0])):
        track = [normed(block.temporal_norm1, frame[place]) for frame in frames]
        for time, found in enumerate(attend(block.temporal_attn, track)):
            joined = block.temporal_fc.weight @ found + block.temporal_fc.bias
            moved[time][place] = frames[time][place] + joined
    seen, changed = [], []
    for frame in moved:
        first, *others = attend(block.attn, [normed(block.norm1, s) for s in (summary, *frame)])
        seen.append(first)
        changed.append([old + new for old, new in zip(frame, others, strict=True)])
    summary = summary + sum(seen) / len(seen)
    return widened(block, summary), [[widened(block, s) for s in frame] for frame in changed]


def slow_clip(model: TimeSformer, frames: Tensor) -> Tensor:
    """States (1 + P, D) of one clip (T, 3, S, S)."""
    patch = model.patch_embed.proj.kernel_size[0]
    assert isinstance(patch, int)
    weight, bias = model.patch_embed.proj.weight, model.patch_embed.proj.bias
    across, length = frames.shape[-1] // patch, len(frames)
    stretched = F.interpolate(model.time_embed.transpose(1, 2), size=length, mode="nearest")[0].T
    states: list[list[Tensor]] = []
    for time, frame in enumerate(frames):
        row = []
        for place in range(across**2):
            top, left = place // across * patch, place % across * patch
            part = frame[:, top : top + patch, left : left + patch]
            value = torch.stack([(kernel * part).sum() for kernel in weight]) + bias
            row.append(value + model.pos_embed[0, 1 + place] + stretched[time])
        states.append(row)
    summary = model.cls_token[0, 0] + model.pos_embed[0, 0]
    for block in model.blocks:
        assert isinstance(block, Block)
        summary, states = slow_block(block, summary, states)
    means = [
        sum(normed(model.norm, frame[place]) for frame in states) / length
        for place in range(across**2)
    ]
    return torch.stack([normed(model.norm, summary), *means])
