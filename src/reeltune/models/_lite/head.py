"""The trained part of `lite`: frame features and sentence vectors to one space."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from reeltune.models._lite.frame_network import CLASSES
from reeltune.models._lite.sentence_encoder import WIDTH

SPREAD = 8.0  # sentence vectors are brought to this length, so that their parts are of order 1/2
SEEN = 256  # width of what is kept of the class probabilities


class Head(nn.Module):
    """Two residual perceptrons of one hidden layer, one for each side.

    Frame features are standardised with statistics of the training photos; class logits become
    square roots of probabilities, whose inner product compares distributions (Bhattacharyya).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, features: int, dim: int, hidden: int, dropout: float) -> None:
        super().__init__()
        maps = features - CLASSES
        self.register_buffer("mean", torch.zeros(maps))
        self.register_buffer("std", torch.ones(maps))
        self.seen = nn.Linear(CLASSES, SEEN)
        self.video_in = nn.Linear(maps + SEEN, hidden)
        self.video_out = nn.Linear(hidden, dim)
        self.video_skip = nn.Linear(maps + SEEN, dim)
        self.text_in = nn.Linear(WIDTH, hidden)
        self.text_out = nn.Linear(hidden, dim)
        self.text_skip = nn.Linear(WIDTH, dim)
        self.logit_scale = nn.Parameter(torch.tensor(20.0).log())
        self.dropout = nn.Dropout(dropout)
        nn.init.eye_(self.text_skip.weight)  # starts from the sentence space as it is
        nn.init.zeros_(self.text_out.weight)

    def frames(self, features: Float[Tensor, "*B F"]) -> Float[Tensor, "*B D"]:
        """Unit vectors of single frames."""
        maps, logits = features.split([features.shape[-1] - CLASSES, CLASSES], dim=-1)
        seen = self.seen((logits / 2).softmax(-1).sqrt())
        x = self.dropout(torch.cat([(maps - self.mean) / self.std, seen], dim=-1))
        hidden = self.dropout(F.gelu(self.video_in(x)))
        return F.normalize(self.video_skip(x) + self.video_out(hidden), dim=-1)

    def text(self, sentences: Float[Tensor, "B 384"]) -> Float[Tensor, "B D"]:
        """Unit vectors of texts."""
        x = SPREAD * sentences
        return F.normalize(self.text_skip(x) + self.text_out(F.gelu(self.text_in(x))), dim=-1)
