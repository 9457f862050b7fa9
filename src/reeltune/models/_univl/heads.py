"""Heads of UniVL that guess hidden words and frames; they share the tables of the encoders."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from reeltune.models._univl.bert import HeadTransform
from reeltune.models._univl.towers import Sizes


class WordPredictions(nn.Module):
    """Logits of words from their embeddings."""

    def __init__(self, sizes: Sizes, words: nn.Parameter) -> None:
        super().__init__()
        self.transform = HeadTransform(sizes.bert(1))
        self.decoder = nn.Linear(sizes.width, len(words), bias=False, device="meta")
        self.decoder.weight = words
        self.bias = nn.Parameter(torch.zeros(len(words)))

    def forward(self, states: Float[Tensor, "B L D"]) -> Float[Tensor, "B L V"]:
        return self.decoder(self.transform(states)) + self.bias


class WordHead(nn.Module):
    """As the release names it."""

    def __init__(self, sizes: Sizes, words: nn.Parameter) -> None:
        super().__init__()
        self.predictions = WordPredictions(sizes, words)

    def forward(self, states: Float[Tensor, "B L D"]) -> Float[Tensor, "B L V"]:
        return self.predictions(states)


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
