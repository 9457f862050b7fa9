"""Writes sentences word by word and keeps the decoder's keys and values of earlier words."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from reeltune.models._bert.layers import Heads
from reeltune.models._univl.decoder import Decoder, DecoderLayer
from reeltune.models._univl.towers import Sequence


@dataclass
class Memory:
    """Keys and values of one layer: of each sentence's words, and of what is seen in each row."""

    layer: DecoderLayer
    seen: tuple[Tensor, Tensor]  # (B, H, M, D / H)
    words: tuple[Tensor, Tensor] | None = None  # (R, H, l, D / H)


class Writing:
    """`Decoder.next_word` of sentences that grow by a word between calls.

    One call costs one position; the decoder must be in evaluation mode.
    """

    def __init__(self, decoder: Decoder, seen: Sequence) -> None:
        self._decoder, self._mask = decoder, seen.mask
        layers = [layer for layer in decoder.decoder.layer if isinstance(layer, DecoderLayer)]
        self._memories = [
            Memory(layer, layer.enc_attn.att.remember(seen.states)) for layer in layers
        ]

    def next_word(
        self, ids: Int[Tensor, "R L"], rows: Int[Tensor, " R"], grown_from: Int[Tensor, " R"]
    ) -> Float[Tensor, "R V"]:
        """Log-probabilities of the word after the last of each sentence.

        Sentence r is about row `rows[r]` of what is seen, and is the sentence `grown_from[r]` of
        the last call and one word more; before the first call there is nothing to grow from.
        """
        states = self._decoder.embeddings(ids[:, -1:], ids.shape[1] - 1)  # (R, 1, D)
        there = self._mask[rows][:, None, None]
        for memory in self._memories:
            states = _one_word(memory, states, rows, grown_from, there)
        return self._decoder.chances(states)


def _one_word(
    memory: Memory, states: Tensor, rows: Tensor, grown_from: Tensor, there: Tensor
) -> Tensor:
    """A layer's output for the last word of each sentence."""
    layer = memory.layer
    keys, values = memory.words = _longer(layer.slf_attn.att, memory, states, grown_from)
    found = layer.slf_attn.att.look(states, keys, values, None)
    states = layer.slf_attn.output(found, states)
    keys, values = (part[rows] for part in memory.seen)
    found = layer.enc_attn.att.look(states, keys, values, there)
    states = layer.enc_attn.output(found, states)
    return layer.output(layer.intermediate(states), states)


def _longer(
    attention: Heads, memory: Memory, states: Tensor, grown_from: Tensor
) -> tuple[Tensor, Tensor]:
    """Keys and values of the words so far, with those of the last."""
    key, value = attention.remember(states)
    if memory.words is None:
        return key, value
    keys, values = (part[grown_from] for part in memory.words)
    return torch.cat([keys, key], dim=2), torch.cat([values, value], dim=2)
