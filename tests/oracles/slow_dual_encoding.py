"""Dual Encoding step by step, one item at a time, in double precision and from its formulas.

Weights come as the state dict of the model; a row is padded by hand where the released code lets
its padding be seen.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

Matrix = np.ndarray[Any, np.dtype[np.float64]]
Weights = Mapping[str, Matrix]


def doubles(state: Mapping[str, Tensor]) -> dict[str, Matrix]:
    return {name: tensor.double().numpy() for name, tensor in state.items()}


def within(weights: Weights, prefix: str) -> dict[str, Matrix]:
    return {n.removeprefix(prefix): w for n, w in weights.items() if n.startswith(prefix)}


def sigmoid(x: Matrix) -> Matrix:
    return 1 / (1 + np.exp(-x))


def slow_gru(weights: Weights, sequence: Matrix, suffix: str = "") -> Matrix:
    """Cho et al. (1406.1078) as torch orders its gates: reset, update, new."""
    w_ih, w_hh = weights[f"weight_ih_l0{suffix}"], weights[f"weight_hh_l0{suffix}"]
    b_ih, b_hh = weights[f"bias_ih_l0{suffix}"], weights[f"bias_hh_l0{suffix}"]
    state, outputs = np.zeros(w_hh.shape[1]), []
    for item in sequence:
        r_in, z_in, n_in = np.split(w_ih @ item + b_ih, 3)
        r_state, z_state, n_state = np.split(w_hh @ state + b_hh, 3)
        reset, update = sigmoid(r_in + r_state), sigmoid(z_in + z_state)
        state = (1 - update) * np.tanh(n_in + reset * n_state) + update * state
        outputs.append(state)
    return np.array(outputs)


def slow_both_directions(weights: Weights, sequence: Matrix) -> Matrix:
    forward = slow_gru(weights, sequence)
    if "weight_ih_l0_reverse" not in weights:
        return forward
    backward = slow_gru(weights, sequence[::-1], "_reverse")[::-1]
    return np.concatenate([forward, backward], axis=1)


def slow_maximum(weight: Matrix, bias: Matrix, items: Matrix) -> Matrix:
    """Maximum of a convolution over every window that touches an item, cut at 0, with zeros
    outside."""
    kernel, nothing = weight.shape[2], np.zeros((weight.shape[2] - 1, items.shape[1]))
    wide = np.concatenate([nothing, items, nothing])
    best = np.zeros(len(bias))
    for start in range(len(wide) - kernel + 1):
        window = wide[start : start + kernel]  # (kernel, C)
        best = np.maximum(best, np.einsum("fck,kc->f", weight, window) + bias)
    return best


def slow_levels(weights: Weights, sequence: Matrix, padded: int, seen: str) -> Matrix:
    """Mean of the GRU, then the maxima; `padded` is the length of the longest row of the batch."""
    length, zeros = len(sequence), np.zeros((padded - len(sequence), sequence.shape[1]))
    read = np.concatenate([sequence, zeros]) if seen == "all" else sequence
    outputs = slow_both_directions(within(weights, "gru."), read)[:length]
    parts = [outputs.mean(axis=0)]
    if seen != "nothing":
        outputs = np.concatenate([outputs, np.zeros((padded - length, outputs.shape[1]))])
    number = 0
    while f"convs.{number}.weight" in weights:
        name = f"convs.{number}"
        parts.append(slow_maximum(weights[f"{name}.weight"], weights[f"{name}.bias"], outputs))
        number += 1
    return np.concatenate(parts)


def slow_norm(weights: Weights, x: Matrix) -> Matrix:
    """Batch normalisation with the stored statistics."""
    spread = np.sqrt(weights["running_var"] + 1e-5)
    return (x - weights["running_mean"]) / spread * weights["weight"] + weights["bias"]


def slow_space(weights: Weights, levels: Matrix) -> Matrix:
    latent = weights["latent.weight"] @ levels + weights["latent.bias"]
    latent = slow_norm(within(weights, "latent_norm."), latent)
    latent = latent / math.sqrt(sum(x * x for x in latent))
    if "concept.weight" not in weights:
        return latent
    logits = weights["concept.weight"] @ levels + weights["concept.bias"]
    return np.concatenate([latent, sigmoid(slow_norm(within(weights, "concept_norm."), logits))])


def slow_video(
    weights: Weights, frames: Matrix, at_most: int, padded: int, seen: str = "nothing"
) -> Matrix:
    """The vector of one video; `padded` frames has the longest of its batch."""
    video = within(weights, "video.")
    start = frames[:at_most]
    levels = slow_levels(within(video, "levels."), start, min(padded, at_most), seen)
    levels = np.concatenate([levels, frames.mean(axis=0)])
    return slow_space(within(video, "space."), levels)


def slow_text(weights: Weights, ids: Sequence[int], padded: int, seen: str = "nothing") -> Matrix:
    """The vector of one text; `padded` ids has the longest of its batch."""
    text = within(weights, "text.")
    embedding = text["embedding.weight"]
    levels = slow_levels(within(text, "levels."), embedding[list(ids)], padded, seen)
    bag = np.array([ids.count(word) for word in range(4, len(embedding))], np.float64)
    return slow_space(within(text, "space."), np.concatenate([levels, bag]))


def slow_jaccard(text: Matrix, video: Matrix) -> Matrix:
    return np.array(
        [[np.minimum(t, v).sum() / np.maximum(t, v).sum() for v in video] for t in text]
    )


def slow_hybrid(text: Matrix, video: Matrix, latent: int, alpha: float, by: str) -> Matrix:
    """Both matrices whole, each brought to 0 at its minimum and divided by range or maximum."""
    parts = [
        text[:, :latent] @ video[:, :latent].T,
        slow_jaccard(text[:, latent:], video[:, latent:]),
    ]
    first, second = (
        (x - x.min()) / (x.max() - x.min() if by == "range" else x.max()) for x in parts
    )
    return alpha * first + (1 - alpha) * second


def slow_triplet(
    scores: Sequence[Sequence[float]],
    margin: float,
    hardest: bool,
    direction: str,
    group: Sequence[int] | None,
) -> float:
    """Sum over queries of both directions, each cost looked at by itself."""
    count, total = len(scores), 0.0
    for own in range(count):
        rivals = [
            other
            for other in range(count)
            if other != own and (group is None or group[other] != group[own])
        ]
        of_text = [max(0.0, margin + scores[own][j] - scores[own][own]) for j in rivals]
        of_video = [max(0.0, margin + scores[i][own] - scores[own][own]) for i in rivals]
        pick = (lambda costs: max(costs, default=0.0)) if hardest else sum
        total += pick(of_text) if direction != "v2t" else 0.0
        total += pick(of_video) if direction != "t2v" else 0.0
    return total
