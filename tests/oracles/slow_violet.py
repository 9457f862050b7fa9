"""The losses of Violet from their definitions, one clip, text, word and place at a time.

Nothing is padded and the video stands first, as in the release. Only the network's own modules are
used, the Swin among them, which has an oracle of its own (`slow_swin.py`).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from reeltune.models._violet.network import Network


def embedded(network: Network, words: Sequence[int]) -> Tensor:
    """States of one text (L, D)."""
    return network.enc_txt(torch.tensor([list(words)]))[0]


def watched(network: Network, clip: Tensor) -> Tensor:
    """States of one clip (T, 3, S, S): of each frame, then of its places, (T (1 + P), D)."""
    return network.enc_img(clip[None], torch.ones(1, len(clip), dtype=torch.bool))[0].flatten(0, 1)


def fused(network: Network, video: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
    """States of one pair after the layers that see both: of the video, and of the text."""
    states = torch.cat([video, text])[None]
    every = torch.zeros(1, 1, 1, states.shape[1], dtype=states.dtype)
    return network.trsfr(states, every)[0].split([len(video), len(text)])


def slow_looks(network: Network, video: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
    """How much each state of the video, and of the text, is looked at: of every layer and place
    the mean over heads."""
    states = torch.cat([video, text])
    total = torch.zeros(len(states), dtype=states.dtype)
    for layer in network.trsfr.in_order:
        heads = layer.attention.self
        query, key = heads.query(states), heads.key(states)
        size = query.shape[1] // heads.heads
        for head in range(heads.heads):
            of_head = slice(head * size, (head + 1) * size)
            for asking in query[:, of_head]:
                shares = (key[:, of_head] @ asking / size**0.5).softmax(0)
                total += shares / heads.heads
        states = layer(states[None], torch.zeros(1, 1, 1, len(states), dtype=states.dtype))[0]
    return total[: len(video)], total[len(video) :]


def slow_score(network: Network, video: Tensor, text: Tensor) -> float:
    """The score of a pair, from the state of [CLS]."""
    return float(network.fc(fused(network, video, text)[1][0]))


def slow_vtm(
    network: Network,
    pairs: Sequence[tuple[Tensor, Tensor]],
    video: Sequence[int],
    temperature: float,
) -> float:
    """Mean over videos of minus the logarithm of the chance of the own text, among those of other
    videos."""
    total = 0.0
    for i, (watched_i, _) in enumerate(pairs):
        others = [j for j in range(len(pairs)) if j == i or video[j] != video[i]]
        scores = {j: slow_score(network, watched_i, pairs[j][1]) / temperature for j in others}
        total -= (
            scores[i] - torch.tensor([*scores.values()], dtype=torch.float64).logsumexp(0).item()
        )
    return total / len(pairs)


def slow_mtm(
    network: Network, pairs: Sequence[tuple[Tensor, Tensor]], labels: Sequence[Sequence[int]]
) -> float:
    """Mean over hidden words; `pairs` are of covered clips and of texts with words hidden."""
    costs = []
    for (video, text), wanted in zip(pairs, labels, strict=True):
        states = fused(network, video, text)[1]
        for place, word in enumerate(wanted):
            if word >= 0:
                costs.append(-float(network.fc_mtm(states[None])[0, place].log_softmax(0)[word]))
    return sum(costs) / len(costs)


def slow_mvm(
    network: Network,
    pairs: Sequence[tuple[Tensor, Tensor]],
    covered: Sequence[Tensor],
    tokens: Sequence[Tensor],
) -> float:
    """Mean over covered places (T, P) of one clip after the other."""
    costs = []
    for (video, text), hidden, wanted in zip(pairs, covered, tokens, strict=True):
        states = fused(network, video, text)[0]
        each = 1 + hidden.shape[1]  # states of a frame
        for frame, place in hidden.nonzero().tolist():
            guess = network.fc_mvm(states[frame * each + 1 + place]).log_softmax(0)
            costs.append(-float(guess[wanted[frame, place]]))
    return sum(costs) / len(costs)
