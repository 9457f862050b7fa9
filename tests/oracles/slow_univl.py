"""The losses of UniVL from their definitions, one example, pair and word at a time.

Only the network's own modules are used, on rows without any padding.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from reeltune.models._univl.network import Network
from reeltune.models._univl.towers import Sequence as Read


def read(network: Network, words: Sequence[int], features: Tensor) -> tuple[Tensor, Tensor]:
    """States of one text (L, D) and of one video (T, D), each alone."""
    ids = torch.tensor([list(words)])
    text = network.read_text(ids, torch.ones_like(ids, dtype=torch.bool))
    seen = torch.ones(1, len(features), dtype=torch.bool)
    return text.states[0], network.read_video(features[None], seen).states[0]


def fuse(network: Network, text: Tensor, video: Tensor) -> Tensor:
    """States of one pair after the cross encoder, (L + T, D)."""
    both = [Read(part[None], torch.ones(1, len(part), dtype=torch.bool)) for part in (text, video)]
    return network.cross(*both).states[0]


def cosine(text: Tensor, video: Tensor) -> float:
    left, right = text[1:].mean(dim=0), video.mean(dim=0)
    return float(left @ right / (left.norm() * right.norm()))


def slow_joint(pairs: Sequence[tuple[Tensor, Tensor]], margin: float) -> float:
    """Mean over all pairs of both hinges."""
    count, total = len(pairs), 0.0
    score = [[cosine(text, video) for _, video in pairs] for text, _ in pairs]
    for i in range(count):
        for j in range(count):
            total += max(0.0, margin + score[i][j] - score[i][i])
            total += max(0.0, margin + score[i][j] - score[j][j])
    return total / count**2


def slow_align(network: Network, pairs: Sequence[tuple[Tensor, Tensor]]) -> float:
    """Mean over texts of minus the logarithm of the chance of the own video."""
    total = 0.0
    for i, (text, _) in enumerate(pairs):
        scores = []
        for _, video in pairs:
            first = fuse(network, text, video)[0]
            pooled = torch.tanh(network.cross.pooler.dense(first))
            scores.append(float(network.similarity_dense(pooled)))
        total -= scores[i] - math.log(sum(math.exp(score) for score in scores))
    return total / len(pairs)


def slow_decoder(
    network: Network, pairs: Sequence[tuple[Tensor, Tensor]], captions: Sequence[Sequence[int]]
) -> float:
    """Mean over all words of minus the logarithm of each one's chance after those before it."""
    costs = []
    for (text, video), words in zip(pairs, captions, strict=True):
        seen = fuse(network, text, video)[None]
        memory = Read(seen, torch.ones(seen.shape[:2], dtype=torch.bool))
        for place in range(1, len(words)):
            before = torch.tensor([list(words[:place])])
            logits = network.decoder(before, torch.ones_like(before, dtype=torch.bool), memory)
            costs.append(-float(logits[0, -1].log_softmax(dim=0)[words[place]]))
    return sum(costs) / len(costs)


def slow_cmlm(
    network: Network,
    pairs: Sequence[tuple[Tensor, Tensor]],
    labels: Sequence[Sequence[int]],
) -> float:
    """Mean over hidden words; `pairs` are of masked texts and videos."""
    costs = []
    for (text, video), wanted in zip(pairs, labels, strict=True):
        states = fuse(network, text, video)
        for place, word in enumerate(wanted):
            if word != -1:
                logits = network.cls(states[None, place : place + 1])[0, 0]
                costs.append(-float(logits.log_softmax(dim=0)[word]))
    return sum(costs) / len(costs)


def slow_cmfm(
    network: Network,
    pairs: Sequence[tuple[Tensor, Tensor]],
    videos: Sequence[Tensor],
    hidden: Sequence[Sequence[int]],
) -> float:
    """Mean over hidden frames; the candidates are the real frames of all videos."""
    true = [network.normalize_video(video[None])[0] for video in videos]
    candidates = [(v, t) for v, video in enumerate(videos) for t in range(len(video))]
    costs = []
    for number, (text, video) in enumerate(pairs):
        states = fuse(network, text, video)[len(text) :]
        for place in hidden[number]:
            guess = network.cls_visual(states[None, place : place + 1])[0, 0]
            scores = [float(guess @ true[v][t]) for v, t in candidates]
            most = max(scores)
            total = most + math.log(sum(math.exp(score - most) for score in scores))
            costs.append(total - scores[candidates.index((number, place))])
    return sum(costs) / len(costs)
