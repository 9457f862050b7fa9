"""The hybrid space: a latent part of unit length, and the probability of each concept."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from reeltune.nn.batch_norm import batch_norm


class Encoded(NamedTuple):
    """One side of a batch, in both parts of the space."""

    latent: Float[Tensor, "B E"]  # of unit length
    logits: Float[Tensor, "B K"]  # of concepts

    def vectors(self) -> Float[Tensor, "B D"]:
        """Latent columns, then the probabilities of concepts."""
        return torch.cat([self.latent, self.logits.sigmoid()], dim=1)


class Space(nn.Module):
    """The mapping of one side into the space; without concepts it is that of the 2019 model."""

    def __init__(self, width: int, latent: int, concepts: int, dropout: float) -> None:
        super().__init__()
        self.latent, self.latent_norm = nn.Linear(width, latent), nn.BatchNorm1d(latent)
        self.dropout = nn.Dropout(dropout)
        nn.init.xavier_uniform_(self.latent.weight)
        nn.init.zeros_(self.latent.bias)
        self.has_concepts = concepts > 0
        if self.has_concepts:
            self.concept, self.concept_norm = nn.Linear(width, concepts), nn.BatchNorm1d(concepts)

    def forward(self, levels: Float[Tensor, "B W"]) -> Encoded:
        latent = batch_norm(self.latent_norm, self.latent(levels))
        latent = F.normalize(self.dropout(latent), dim=1)
        if not self.has_concepts:
            return Encoded(latent, latent.new_zeros(len(latent), 0))
        return Encoded(latent, batch_norm(self.concept_norm, self.concept(levels)))
