"""Multi-level encoding of a sequence: a GRU, and convolutions over what the GRU gives."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from reeltune.models._dual_encoding._unrolled import unrolled

# What sees the padding of a batch. "maximum": zeros stand in for it where the convolutions' maximum
# is taken, as released for texts; "all": the GRU runs over zeros too, as released for videos.
Seen = Literal["nothing", "maximum", "all"]


class Levels(nn.Module):
    """Levels 2 and 3 of Dual Encoding (Dong et al., 1809.06181 and 2009.05381), side by side."""

    def __init__(
        self,
        width: int,
        hidden: int,
        bidirectional: bool,
        kernels: Sequence[int],
        filters: int,
        dropout: float,
        padding_seen_by: Seen,
    ) -> None:
        super().__init__()
        self.gru = nn.GRU(width, hidden, batch_first=True, bidirectional=bidirectional)
        channels = hidden * (2 if bidirectional else 1)
        self.convs = nn.ModuleList(
            nn.Conv1d(channels, filters, kernel, padding=kernel - 1) for kernel in kernels
        )
        self.dropout = nn.Dropout(dropout)
        self.width = channels + filters * len(kernels)
        self.padding_seen_by = padding_seen_by

    def forward(
        self, sequence: Float[Tensor, "B L W"], lengths: Int[Tensor, " B"]
    ) -> Float[Tensor, "B E"]:
        """`lengths` real items stand first in each row; none is 0."""
        real = torch.arange(sequence.shape[1], device=sequence.device) < lengths[:, None]  # (B, L)
        outputs = self._recur(sequence, lengths, real)  # (B, L, C)
        mean = outputs.sum(dim=1) / lengths[:, None]  # (B, C)
        channels = outputs.transpose(1, 2)  # (B, C, L)
        maxima = [self._maximum(conv, channels, lengths) for conv in self.convs]
        return torch.cat([self.dropout(mean), self.dropout(torch.cat(maxima, dim=1))], dim=1)

    def _recur(self, sequence: Tensor, lengths: Tensor, real: Tensor) -> Tensor:
        """Outputs of the GRU at each item, with zeros in the padding."""
        if self.padding_seen_by == "all":
            outputs, _ = self.gru(sequence.masked_fill(~real[..., None], 0))
            return outputs.masked_fill(~real[..., None], 0)
        batch, longest = real.shape
        places = torch.arange(batch * longest).view(batch, longest)
        order = pack_padded_sequence(places, lengths.cpu(), True, enforce_sorted=False)
        places = order.data.to(sequence.device)  # of real items, step by step
        packed = PackedSequence(sequence.flatten(0, 1)[places], order.batch_sizes)
        learns = sequence.device.type == "cpu" and torch.is_grad_enabled()
        one_by_one = learns and isinstance(self.gru, nn.GRU)  # not in int8
        found = unrolled(self.gru, packed) if one_by_one else self.gru(packed)[0]
        padded = found.data.new_zeros(batch * longest, found.data.shape[1])
        return padded.index_copy(0, places, found.data).unflatten(0, real.shape)

    def _maximum(self, conv: nn.Module, channels: Tensor, lengths: Tensor) -> Tensor:
        """Maximum over the windows, cut at 0; a window that touches only padding is left out."""
        windows = conv(channels)  # (B, filters, L + kernel - 1)
        if self.padding_seen_by == "nothing":
            spare = windows.shape[2] - channels.shape[2]  # kernel - 1
            place = torch.arange(windows.shape[2], device=windows.device)
            empty = place >= lengths[:, None] + spare  # (B, L + kernel - 1)
            windows = windows.masked_fill(empty[:, None], float("-inf"))
        return windows.amax(dim=2).relu()


def real_first(
    sequence: Tensor, mask: Bool[Tensor, "B L"], at_most: int | None = None
) -> tuple[Tensor, Int[Tensor, " B"]]:
    """Rows with their real items in front, and how many there are: of the first `at_most` alone.

    What is longer than the longest row is cut off. Rows that are in order already are not copied.
    """
    if (mask[:, 1:] & ~mask[:, :-1]).any():
        order = (~mask).to(torch.uint8).argsort(dim=1, stable=True)  # (B, L)
        order = order.reshape(*order.shape, *[1] * (sequence.dim() - 2))
        sequence = sequence.take_along_dim(order, dim=1)
    lengths = mask.sum(dim=1).clamp(max=at_most or mask.shape[1])
    return sequence[:, : int(lengths.max())], lengths
