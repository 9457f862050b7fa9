"""Prompts for the layers of a frozen CLIP, one class per kind (VoP: Huang et al., 2211.12764).

A frame prompt is asked once per layer, for every frame of every video at once, and answers with
the tokens that the layer sees beside the frame's own; what the layer makes of them is dropped.
Frames come as rows, so videos of different lengths need no padding: `Rows` says whose they are.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

STD = 0.02  # of prompts at the start, as in the authors' released model


@dataclass(frozen=True)
class Rows:
    """Which frame each of R rows is: of which video, and where in it."""

    video: Int[Tensor, " R"]  # 0 .. B - 1, ascending
    place: Int[Tensor, " R"]  # among the video's own frames, from 0
    position: Int[Tensor, " R"]  # in a table of frame positions
    lengths: Int[Tensor, " B"]  # frames of each video

    @classmethod
    def of(cls, lengths: Int[Tensor, " B"], table: int) -> "Rows":
        """Rows of videos with these lengths; a clip of fewer frames than the table has positions
        is spread over them evenly, and one of as many takes them in order."""
        video = torch.repeat_interleave(torch.arange(len(lengths), device=lengths.device), lengths)
        starts = lengths.cumsum(0) - lengths  # (B,)
        place = torch.arange(len(video), device=lengths.device) - starts[video]
        position = ((2 * place + 1) * table) // (2 * lengths[video])
        return cls(video, place, position, lengths)

    def pad(self, rows: Float[Tensor, "R ..."]) -> Float[Tensor, "B T ..."]:
        """Rows arranged by video, with zeros after the last frame of each."""
        shape = (len(self.lengths), int(self.lengths.max()), *rows.shape[1:])
        padded = rows.new_zeros(shape)
        return padded.index_put((self.video, self.place), rows)

    def unpad(self, padded: Float[Tensor, "B T ..."]) -> Float[Tensor, "R ..."]:
        return padded[self.video, self.place]

    def are_even(self) -> bool:
        """Whether all videos have the same number of frames."""
        return len(self.video) == len(self.lengths) * int(self.lengths.max())


class Generic(nn.Module):
    """Prompts that are shared by all frames (equation 4)."""

    def __init__(self, layers: int, length: int, width: int) -> None:
        super().__init__()
        self.table = nn.Parameter(STD * torch.randn(layers, length, width))

    def forward(self, layer: int, cls: Float[Tensor, "R W"], rows: Rows) -> Float[Tensor, "R P W"]:
        return self.table[layer].expand(len(cls), -1, -1)


class Position(nn.Module):
    """Prompts for the position of a frame in its video (VoP^P, equation 5)."""

    def __init__(self, layers: int, frames: int, length: int, width: int) -> None:
        super().__init__()
        self.table = nn.Parameter(STD * torch.randn(layers, frames, length, width))

    def forward(self, layer: int, cls: Float[Tensor, "R W"], rows: Rows) -> Float[Tensor, "R P W"]:
        return self.table[layer][rows.position]


class Context(nn.Module):
    """Prompts made from the class tokens of all frames of the video (VoP^C, equations 6 to 8).

    One bidirectional LSTM and one linear layer serve all layers. Their sizes are not in the
    paper; hidden size = width gives its parameter count to the last printed digit. At the first
    layer all class tokens are alike, so there the prompts tell positions alone.
    """

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        self.shape = (length, width)
        self.lstm = nn.LSTM(width, width, batch_first=True, bidirectional=True)
        self.linear = nn.Linear(2 * width, length * width)

    def forward(self, layer: int, cls: Float[Tensor, "R W"], rows: Rows) -> Float[Tensor, "R P W"]:
        with torch.autocast("cpu", enabled=False):  # many processors have no LSTM in bfloat16
            read = self._read(rows.pad(cls.to(self.linear.weight.dtype)), rows)
        return self.linear(rows.unpad(read)).unflatten(1, self.shape)

    def _read(self, videos: Float[Tensor, "B T W"], rows: Rows) -> Float[Tensor, "B T 2*W"]:
        """Outputs of the LSTM in both directions."""
        if rows.are_even():
            read, _ = self.lstm(videos)
            return read
        packed: PackedSequence = pack_padded_sequence(
            videos, rows.lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        return pad_packed_sequence(self.lstm(packed)[0], batch_first=True)[0]


class Joint(nn.Module):
    """Prompts for a video in layers that see all its frames at once (VoP^F, equation 9)."""

    def __init__(self, layers: int, frames: int, length: int, width: int) -> None:
        super().__init__()
        self.table = nn.Parameter(STD * torch.randn(layers, length, width))
        self.position = nn.Parameter(STD * torch.randn(frames, width))  # of a frame's tokens
