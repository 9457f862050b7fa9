"""Low-rank updates of the attention of a frozen CLIP (LoRA, Hu et al., 2106.09685), as TempMe has
them: query, key and value of a layer share one projection down, which makes 4 x rank x width
weights a layer."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel

PROJECTED = ("q_proj", "k_proj", "v_proj")


class LowRank(nn.Module):
    """An update of the three projections of one layer, zero at the start."""

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.empty(rank, width))
        self.up = nn.Parameter(torch.zeros(len(PROJECTED), width, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))


class Updated(nn.Module):
    """A linear layer and the part of an update that is its own.

    The update is a module of the attention and not of this one, for a module that is in three
    others is no place for weights: what exchanges them for a call would exchange them three times.
    """

    def __init__(self, linear: nn.Module, update: LowRank, part: int) -> None:
        super().__init__()
        self.linear, self.shared, self.part = linear, (update,), part

    def forward(self, hidden: Float[Tensor, "*B W"]) -> Float[Tensor, "*B W"]:
        """What the layer makes of the hidden states, and the update's addend."""
        (update,) = self.shared
        added = F.linear(F.linear(hidden, update.down), update.up[self.part])
        made: Tensor = self.linear(hidden)
        return made + added


def update_layers(tower: PreTrainedModel, rank: int) -> list[LowRank]:
    """Put an update into every layer of a tower, in place; they come back in order."""
    updates = []
    for layer in tower.encoder.layers:
        update = layer.self_attn.update = LowRank(tower.config.hidden_size, rank)
        for part, name in enumerate(PROJECTED):
            setattr(layer.self_attn, name, Updated(getattr(layer.self_attn, name), update, part))
        updates.append(update)
    return updates
