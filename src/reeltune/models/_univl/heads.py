"""The head of UniVL that guesses hidden frames; it shares the table of the video encoder."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from reeltune.models._bert.layers import HeadTransform
from reeltune.models._univl.towers import Sizes


class FramePredictions(nn.Module):
    """Features of frames, by the transpose of the layer that reads them."""

    def __init__(self, sizes: Sizes, frames: nn.Linear) -> None:
        super().__init__()
        self.transform = HeadTransform(sizes.bert(1))
        self.weight = frames.weight  # (D, F)
        self.bias = nn.Parameter(torch.zeros(sizes.features))

    def forward(self, states: Float[Tensor, "B T D"]) -> Float[Tensor, "B T F"]:
        return self.transform(states) @ self.weight + self.bias


class FrameHead(nn.Module):
    """As the release names it."""

    def __init__(self, sizes: Sizes, frames: nn.Linear) -> None:
        super().__init__()
        self.predictions = FramePredictions(sizes, frames)

    def forward(self, states: Float[Tensor, "B T D"]) -> Float[Tensor, "B T F"]:
        return self.predictions(states)
