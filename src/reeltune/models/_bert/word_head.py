"""BERT's head that guesses words; it shares the table of the embeddings."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from reeltune.models._bert.layers import HeadTransform
from reeltune.models._bert.sizes import BertSizes


class WordPredictions(nn.Module):
    """Logits of words from their embeddings."""

    def __init__(self, settings: BertSizes, words: nn.Parameter) -> None:
        super().__init__()
        self.transform = HeadTransform(settings)
        self.decoder = nn.Linear(settings.hidden_size, len(words), bias=False, device="meta")
        self.decoder.weight = words
        self.bias = nn.Parameter(torch.zeros(len(words)))

    def forward(self, states: Float[Tensor, "B L D"]) -> Float[Tensor, "B L V"]:
        return self.decoder(self.transform(states)) + self.bias


class WordHead(nn.Module):
    """`WordPredictions` in a module of its own, as state dicts of BERT name it."""

    def __init__(self, settings: BertSizes, words: nn.Parameter) -> None:
        super().__init__()
        self.predictions = WordPredictions(settings, words)

    def forward(self, states: Float[Tensor, "B L D"]) -> Float[Tensor, "B L V"]:
        return self.predictions(states)
