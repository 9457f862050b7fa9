"""The losses of ALPRO from their definitions, one text, clip or pair at a time, without padding."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from reeltune.models._alpro.network import Network
from reeltune.models._bert.sequence import Sequence as Read


def read_words(network: Network, words: Sequence[int]) -> Tensor:
    """States (L, D) of one text alone."""
    ids = torch.tensor([list(words)])
    return network.read_text(ids, torch.ones_like(ids, dtype=torch.bool)).states[0]


def fuse(network: Network, text: Tensor, clip: Tensor) -> Tensor:
    """States (L + V, D) of one text with one clip."""
    both = [Read(part[None], torch.ones(1, len(part), dtype=torch.bool)) for part in (text, clip)]
    return network.text_encoder.fuse(*both)[0]


def minus_log(scores: Sequence[float], right: int) -> float:
    most = max(scores)
    return most + math.log(sum(math.exp(score - most) for score in scores)) - scores[right]


def slow_vtc(network: Network, texts: Sequence[Tensor], clips: Sequence[Tensor]) -> float:
    left = [network.text_proj.weight @ text[0] + network.text_proj.bias for text in texts]
    right = [network.vision_proj.weight @ clip[0] + network.vision_proj.bias for clip in clips]
    heat = float(network.temp)
    logits = [[float(a @ b / a.norm() / b.norm()) / heat for b in right] for a in left]
    to_clip = [minus_log(row, i) for i, row in enumerate(logits)]
    to_text = [minus_log([row[i] for row in logits], i) for i in range(len(right))]
    return (sum(to_clip) + sum(to_text)) / (2 * len(texts))


def slow_vtm(
    network: Network,
    texts: Sequence[Tensor],
    clips: Sequence[Tensor],
    wrong_clips: Sequence[int],
    wrong_texts: Sequence[int],
) -> float:
    """`wrong_clips` names a clip for each text, `wrong_texts` a text for each clip."""
    count = len(texts)
    pairs = [(i, i, 1) for i in range(count)]
    pairs += [(i, wrong_clips[i], 0) for i in range(count)]
    pairs += [(wrong_texts[i], i, 0) for i in range(count)]
    costs = []
    for text, clip, belongs in pairs:
        first = fuse(network, texts[text], clips[clip])[0]
        scores = (network.itm_head.weight @ first + network.itm_head.bias).tolist()
        costs.append(minus_log(scores, belongs))
    return sum(costs) / len(costs)


def slow_mlm(
    network: Network,
    masked: Sequence[Tensor],
    clips: Sequence[Tensor],
    labels: Sequence[Sequence[int]],
) -> float:
    """`masked` are states of texts with words hidden; labels are -1 where a word is not."""
    costs = []
    for text, clip, wanted in zip(masked, clips, labels, strict=True):
        states = fuse(network, text, clip)
        for place, word in enumerate(wanted):
            if word != -1:
                scores = network.text_encoder.cls(states[None, place : place + 1])[0, 0]
                costs.append(minus_log(scores.tolist(), word))
    return sum(costs) / len(costs)


def slow_pem(
    network: Network,
    texts: Sequence[Tensor],
    clips: Sequence[Tensor],
    inside: Sequence[Sequence[bool]],
    chances: Sequence[Sequence[float]],
    confident: float,
) -> float:
    """Mean over clips whose highest chance is `confident`; `inside` says which patches count."""
    costs = []
    for text, clip, patches, wanted in zip(texts, clips, inside, chances, strict=True):
        if max(wanted) < confident:
            continue
        fused = fuse(network, text, clip)[len(text) + 1 :]
        seen = [state for state, is_in in zip(fused, patches, strict=True) if is_in]
        scores = network.get_submodule("mpm_head")(sum(seen) / len(seen)).tolist()
        costs.append(sum(c * minus_log(scores, i) for i, c in enumerate(wanted)))
    return sum(costs) / len(costs) if costs else 0.0
