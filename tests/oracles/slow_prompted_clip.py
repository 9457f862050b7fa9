"""VoP from the equations of its paper (2211.12764): loops over videos, frames, layers and heads.

One text or video at a time, so nothing is padded or masked; no torch module is called, only its
weights are read. Precision is that of the weights.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from reeltune.models.vop import Vop


def text_vector(model: Vop, ids: Sequence[int]) -> Tensor:
    """Equation 3: `[_, W_i] = L_i([P_{i-1}, W_{i-1}])`, read at the end token; (D,).

    `ids` start with the start token, which stands before the prompts; what follows the first
    end token is padding.
    """
    towers = model.clip.towers
    tower, table = towers.text_model, model.text.table
    ids = ids[: list(ids).index(tower.eos_token_id) + 1]
    tokens = torch.stack([tower.embeddings.token_embedding.weight[i] for i in ids])  # (L, W)
    for number, layer in enumerate(tower.encoder.layers):
        prompts = [] if table is None else list(table[number])
        tokens = torch.stack([tokens[0], *prompts, *tokens[1:]])
        if number == 0:  # the prompts get the position embedding of where they stand
            tokens = tokens + tower.embeddings.position_embedding.weight[: len(tokens)]
        tokens = block(layer, tokens, causal=True)
        tokens = torch.stack([tokens[0], *tokens[1 + len(prompts) :]])
    return unit(towers.text_projection.weight @ norm(tower.final_layer_norm, tokens[-1:])[0])


def video_vector(model: Vop, frames: Tensor) -> Tensor:
    """Equations 4 to 9 for the frames (T, 3, S, S) of one video; (D,)."""
    towers, video = model.clip.towers, model.video
    tower, positions = towers.vision_model, model.config.frames
    if len(frames) > positions and ("position" in video.alone_prompts or video.joint is not None):
        frames = torch.stack([frames[i] for i in middles(positions, len(frames))])
    places = middles(len(frames), positions)
    tokens = [patches(model, frame) for frame in frames]  # T of (1 + M, W)
    for number, layer in enumerate(tower.encoder.layers):
        if number < video.alone:
            tokens = alone(model, number, layer, tokens, places)
        else:
            if number == video.alone:
                tokens = [t + video.joint.position[p] for t, p in zip(tokens, places, strict=True)]
            tokens = together(model, number, layer, tokens)
    each = [
        unit(towers.visual_projection.weight @ norm(tower.post_layernorm, t[:1])[0]) for t in tokens
    ]
    return unit(sum(each) / len(each))


def middles(parts: int, whole: int) -> list[int]:
    """Which of `whole` places lies in the middle of each of `parts` equal spans of them."""
    return [math.floor((part + Fraction(1, 2)) * whole / parts) for part in range(parts)]


def patches(model: Vop, frame: Tensor) -> Tensor:
    """Class token and patches of one frame (3, S, S), with their positions; (1 + M, W)."""
    embeddings = model.clip.towers.vision_model.embeddings
    kernel = embeddings.patch_embedding.weight  # (W, 3, p, p)
    side = kernel.shape[-1]
    colours = (frame.to(kernel.dtype) / 255 - model.clip.mean) / model.clip.std
    found = [embeddings.class_embedding]
    for top in range(0, frame.shape[1], side):
        for left in range(0, frame.shape[2], side):
            patch = colours[:, top : top + side, left : left + side]
            found.append((kernel * patch).sum(dim=(1, 2, 3)))
    return torch.stack(found) + embeddings.position_embedding.weight


def alone(
    model: Vop, number: int, layer: Any, tokens: list[Tensor], places: list[int]
) -> list[Tensor]:
    """A layer in which every frame is on its own, prompts between class token and patches."""
    prompts = frame_prompts(model, number, [t[0] for t in tokens], places)
    found = []
    for frame, given in zip(tokens, prompts, strict=True):
        sequence = torch.stack([frame[0], *given, *frame[1:]])
        if number == 0:  # the first layer norm is for prompts too
            sequence = norm(model.clip.towers.vision_model.pre_layrnorm, sequence)
        sequence = block(layer, sequence)
        found.append(torch.stack([sequence[0], *sequence[1 + len(given) :]]))
    return found


def frame_prompts(
    model: Vop, number: int, classes: list[Tensor], places: list[int]
) -> list[list[Tensor]]:
    """The prompts of each frame: generic, of its position (5), of its context (6 to 8)."""
    kinds = model.video.alone_prompts
    found: list[list[Tensor]] = [[] for _ in classes]
    for frame, given in enumerate(found):
        if "generic" in kinds:
            given.extend(kinds["generic"].table[number])
        if "position" in kinds:
            given.extend(kinds["position"].table[number][places[frame]])
    if "context" in kinds:
        context = kinds["context"]
        for given, read in zip(found, both_ways(context.lstm, classes), strict=True):
            made = context.linear.weight @ read + context.linear.bias
            given.extend(made.split(len(classes[0])))
    return found


def together(model: Vop, number: int, layer: Any, tokens: list[Tensor]) -> list[Tensor]:
    """Equation 9: a layer that sees all frames of the video, and the video's prompts, at once."""
    joint = model.video.joint
    prompts = joint.table[number - model.video.alone]
    sequence = torch.cat([*tokens, prompts])  # without a mask, order says nothing
    if number == 0:
        sequence = norm(model.clip.towers.vision_model.pre_layrnorm, sequence)
    sequence = block(layer, sequence)
    return list(sequence[: len(sequence) - len(prompts)].split(len(tokens[0])))


def both_ways(lstm: Any, inputs: list[Tensor]) -> list[Tensor]:
    """A bidirectional LSTM (Hochreiter and Schmidhuber, 1997) over one sequence."""
    forward = one_way(lstm, "", inputs)
    backward = one_way(lstm, "_reverse", inputs[::-1])[::-1]
    return [torch.cat(pair) for pair in zip(forward, backward, strict=True)]


def one_way(lstm: Any, suffix: str, inputs: list[Tensor]) -> list[Tensor]:
    weight = {
        name: getattr(lstm, f"{name}_l0{suffix}")
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    }
    hidden = cell = torch.zeros_like(inputs[0])
    found = []
    for value in inputs:
        gates = weight["weight_ih"] @ value + weight["bias_ih"]
        gates = gates + weight["weight_hh"] @ hidden + weight["bias_hh"]
        take, keep, new, show = gates.chunk(4)
        cell = torch.sigmoid(keep) * cell + torch.sigmoid(take) * torch.tanh(new)
        hidden = torch.sigmoid(show) * torch.tanh(cell)
        found.append(hidden)
    return found


def block(layer: Any, tokens: Tensor, causal: bool = False) -> Tensor:
    """One layer of CLIP, L_i, over one sequence (L, W)."""
    tokens = tokens + attention(layer.self_attn, norm(layer.layer_norm1, tokens), causal)
    hidden = linear(layer.mlp.fc1, norm(layer.layer_norm2, tokens))
    return tokens + linear(layer.mlp.fc2, hidden * torch.sigmoid(1.702 * hidden))  # quick GELU


def attention(weights: Any, tokens: Tensor, causal: bool) -> Tensor:
    """`softmax(Q K^T / sqrt d) V`, head by head and query by query."""
    width = tokens.shape[1] // weights.num_heads
    queries, keys, values = (
        linear(part, tokens) for part in (weights.q_proj, weights.k_proj, weights.v_proj)
    )
    rows = []
    for place, query in enumerate(queries):
        seen = place + 1 if causal else len(tokens)
        heads = []
        for start in range(0, tokens.shape[1], width):
            head = slice(start, start + width)
            logits = keys[:seen, head] @ query[head] / math.sqrt(width)
            heads.append(torch.softmax(logits, dim=0) @ values[:seen, head])
        rows.append(torch.cat(heads))
    return linear(weights.out_proj, torch.stack(rows))


def linear(weights: Any, tokens: Tensor) -> Tensor:
    return tokens @ weights.weight.T + weights.bias


def norm(weights: Any, tokens: Tensor) -> Tensor:
    centred = tokens - tokens.mean(dim=1, keepdim=True)
    spread = (centred.square().mean(dim=1, keepdim=True) + weights.eps).sqrt()
    return weights.weight * centred / spread + weights.bias


def unit(vector: Tensor) -> Tensor:
    return vector / vector.square().sum().sqrt()
