"""A GRU or an LSTM with int8 weights, called as torch's own: padded or packed, any state."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from reeltune.nn.int8 import Direction

States = tuple[Tensor, ...]  # h alone, or h and c: (layers x directions, B, H) each


class Int8Recurrent(nn.Module):
    """All layers and directions of a GRU or an LSTM in int8 precision, without dropout."""

    def __init__(self, layer: nn.GRU | nn.LSTM) -> None:
        super().__init__()
        self.ways = 2 if layer.bidirectional else 1
        self.parts = 2 if isinstance(layer, nn.LSTM) else 1
        self.batch_first, self.hidden_size = layer.batch_first, layer.hidden_size
        endings = ("", "_reverse")[: self.ways]
        self.directions = nn.ModuleList(
            Direction(layer, f"l{depth}{ending}")
            for depth in range(layer.num_layers)
            for ending in endings
        )

    @torch.no_grad()
    def forward(
        self, x: Tensor | PackedSequence, hx: Tensor | States | None = None
    ) -> tuple[Tensor | PackedSequence, Tensor | States]:
        """As `torch.nn.GRU` and `torch.nn.LSTM`: outputs, and the last state of each direction."""
        if isinstance(x, PackedSequence):
            states = self._states(hx, int(x.batch_sizes[0]), x.sorted_indices, x.data)
            data, last = self._run(x.data, x.batch_sizes.tolist(), states)
            return x._replace(data=data), self._given_back(last, x.unsorted_indices)
        single = x.dim() == 2
        rows = x.unsqueeze(1) if single else x.transpose(0, 1) if self.batch_first else x
        steps, batch, _ = rows.shape  # (T, B, I)
        given = hx
        if single and hx is not None:
            given = tuple(part.unsqueeze(1) for part in _parts(hx))
        states = self._states(given, batch, None, rows)
        data, last = self._run(rows.reshape(steps * batch, -1), [batch] * steps, states)
        out = data.view(steps, batch, -1)
        if single:
            return out.squeeze(1), self._given_back(tuple(part.squeeze(1) for part in last), None)
        return out.transpose(0, 1) if self.batch_first else out, self._given_back(last, None)

    def _run(self, data: Tensor, sizes: list[int], states: States) -> tuple[Tensor, States]:
        lasts = []
        for first in range(0, len(self.directions), self.ways):
            ways = [
                self.directions[place](data, sizes, tuple(part[place] for part in states))
                for place in range(first, first + self.ways)
            ]
            data = torch.cat([outputs for outputs, _ in ways], dim=1)
            lasts += [last for _, last in ways]
        return data, tuple(torch.stack(part) for part in zip(*lasts, strict=True))

    def _states(
        self, hx: Tensor | States | None, batch: int, order: Tensor | None, like: Tensor
    ) -> States:
        """States to begin with, rows in the order of the data."""
        if hx is None:
            zeros = like.new_zeros(len(self.directions), batch, self.hidden_size)
            return (zeros,) * self.parts
        parts = _parts(hx)
        return parts if order is None else tuple(part.index_select(1, order) for part in parts)

    def _given_back(self, last: States, order: Tensor | None) -> Tensor | States:
        """States in the caller's order: a tensor of a GRU, a pair of an LSTM."""
        if order is not None:
            last = tuple(part.index_select(1, order) for part in last)
        return last[0] if self.parts == 1 else last


def _parts(hx: Tensor | States) -> States:
    return (hx,) if isinstance(hx, Tensor) else tuple(hx)
