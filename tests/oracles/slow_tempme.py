"""TempMe from its description (2409.01156) and ToMe's (2210.09461): loops over tokens and clips.

One video at a time, so nothing is padded. A merged token is kept as the list of the tokens that are
in it: attention sees each merged token as often as it has members, which is what size-weighted
attention is to equal. Precision is that of the weights.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from oracles.slow_prompted_clip import block, linear, middles, norm, patches, unit
from reeltune.models.tempme import TempMe


@dataclass
class Token:
    """A vector, how many tokens are in it, and whether it is a class token."""

    vector: Tensor
    count: int = 1
    is_class: bool = False


Clip = list[Token]


@torch.no_grad()
def video_vector(model: TempMe, frames: Tensor) -> Tensor:
    """The vector (D,) of the frames (T, 3, S, S) of one video."""
    tower, config = model.clip.towers.vision_model, model.config
    clips: list[Clip] = [first_tokens(model, frame) for frame in frames]
    joins = {join.layer: join.clips for join in config.joins}
    has_joined, table = False, 0
    for number, layer in enumerate(tower.encoder.layers):
        if number in joins:
            clips = joined(model, clips, joins[number], table)
            has_joined, table = True, table + 1
        is_last = number == len(tower.encoder.layers) - 1
        for at, clip in enumerate(clips):
            wanted = math.floor(len(clip) * config.inside) if has_joined else config.within
            clips[at] = one_layer(layer, clip, 0 if is_last else wanted)
    classes = [token.vector for clip in clips for token in clip if token.is_class]
    seen = norm(tower.post_layernorm, torch.stack(classes))
    each = [unit(model.clip.towers.visual_projection.weight @ vector) for vector in seen]
    return unit(sum(each) / len(each))


def first_tokens(model: TempMe, frame: Tensor) -> Clip:
    tower = model.clip.towers.vision_model
    vectors = norm(tower.pre_layrnorm, patches(model, frame))
    return [Token(vector, is_class=at == 0) for at, vector in enumerate(vectors)]


def joined(model: TempMe, clips: list[Clip], together: int, table: int) -> list[Clip]:
    """Neighbours become one clip, and a share of its tokens is merged by what they are."""
    config, positions = model.config, [*model.video.positions]
    if positions:
        places = middles(len(clips), len(positions[table]))
    made = []
    for start in range(0, len(clips), together):
        some = clips[start : start + together]
        order = [
            (at, token)
            for is_class in (True, False)
            for at, clip in enumerate(some)
            for token in clip
            if token.is_class == is_class
        ]
        metric = [token.vector for _, token in order]
        tokens = []
        for at, token in order:
            added = positions[table][places[start + at]] if positions else 0.0
            tokens.append(Token(token.vector + added, token.count, token.is_class))
        wanted = 0 if len(some) == 1 else math.floor(len(tokens) * config.across)
        made.append(merged(tokens, metric, wanted))
    return made


def merged(tokens: Clip, metric: list[Tensor], wanted: int) -> Clip:
    """Tokens at even places go into the most alike ones at odd places, the most alike first."""
    free = [place for place, token in enumerate(tokens) if not token.is_class]
    wanted = min(wanted, len(free) // 2)
    if wanted == 0:
        return tokens  # in the order in which they are
    even, odd = ([p for p in free if p % 2 == rest] for rest in (0, 1))
    best: list[tuple[float, int, int]] = []
    for source in even:
        cosines = [float(unit(metric[source]) @ unit(metric[into])) for into in odd]
        place = max(range(len(odd)), key=lambda at: cosines[at])
        best.append((-cosines[place], source, odd[place]))
    pairs = {source: into for _, source, into in sorted(best, key=lambda one: one[0])[:wanted]}
    left = [token for token in tokens if token.is_class]
    left += [tokens[place] for place in even if place not in pairs]
    for into in odd:
        members = [tokens[into], *(tokens[source] for source in pairs if pairs[source] == into)]
        whole = sum(token.count for token in members)
        mean = sum(token.vector * token.count for token in members) / whole
        left.append(Token(mean, whole))
    return left


def one_layer(layer: Any, clip: Clip, wanted: int) -> Clip:
    """Attention, merging by the mean of the heads' keys, and the MLP."""
    tokens = torch.stack([token.vector for token in clip])
    normed = norm(layer.layer_norm1, tokens)
    keys = [projected(layer.self_attn.k_proj, row) for row in normed]
    seen = tokens + attention(layer.self_attn, normed, [token.count for token in clip])
    found = [Token(row, t.count, t.is_class) for row, t in zip(seen, clip, strict=True)]
    heads = [key.view(layer.self_attn.num_heads, -1).mean(dim=0) for key in keys]
    left = merged(found, heads, wanted)
    rows = torch.stack([token.vector for token in left])
    hidden = linear(layer.mlp.fc1, norm(layer.layer_norm2, rows))
    out = rows + linear(layer.mlp.fc2, hidden * torch.sigmoid(1.702 * hidden))
    return [Token(row, t.count, t.is_class) for row, t in zip(out, left, strict=True)]


def attention(weights: Any, normed: Tensor, counts: list[int]) -> Tensor:
    """Plain attention to keys and values that stand there as often as they have members."""
    often = [place for place, count in enumerate(counts) for _ in range(count)]
    queries, keys, values = (
        torch.stack([projected(part, row) for row in normed])
        for part in (weights.q_proj, weights.k_proj, weights.v_proj)
    )
    keys, values = keys[often], values[often]
    width = normed.shape[1] // weights.num_heads
    heads = []
    for start in range(0, normed.shape[1], width):
        head = slice(start, start + width)
        logits = queries[:, head] @ keys[:, head].T / math.sqrt(width)
        heads.append(torch.softmax(logits, dim=1) @ values[:, head])
    return linear(weights.out_proj, torch.cat(heads, dim=1))


def projected(part: Any, row: Tensor) -> Tensor:
    """`(W + U D) x + b` of a projection with a low-rank update, `W x + b` of one without."""
    if isinstance(part, torch.nn.Linear):
        return part.weight @ row + part.bias
    folded = _Plain(part)
    return folded.weight @ row + folded.bias


def text_vector(model: TempMe, ids: list[int]) -> Tensor:
    """The vector (D,) of a text up to its end token, by CLIP with the updates folded in."""
    towers = model.clip.towers
    tower = towers.text_model
    ids = ids[: ids.index(tower.eos_token_id) + 1]
    rows = tower.embeddings.token_embedding.weight[torch.tensor(ids)]
    tokens = rows + tower.embeddings.position_embedding.weight[: len(ids)]
    for layer in tower.encoder.layers:
        tokens = block(Folded(layer), tokens, causal=True)
    return unit(towers.text_projection.weight @ norm(tower.final_layer_norm, tokens[-1:])[0])


class Folded:
    """A layer whose three projections are plain ones with the updates added to their weights."""

    def __init__(self, layer: Any) -> None:
        self.layer_norm1, self.layer_norm2 = layer.layer_norm1, layer.layer_norm2
        self.mlp, self.self_attn = layer.mlp, self  # which is its own attention, too
        self.num_heads, self.out_proj = layer.self_attn.num_heads, layer.self_attn.out_proj
        for name in ("q_proj", "k_proj", "v_proj"):
            setattr(self, name, _Plain(getattr(layer.self_attn, name)))


class _Plain:
    def __init__(self, part: Any) -> None:
        (update,) = part.shared
        self.weight = part.linear.weight + update.up[part.part] @ update.down
        self.bias = part.linear.bias
