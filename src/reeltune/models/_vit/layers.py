"""Parts of vision transformers (2010.11929) under the names of timm, which released models of video
and language kept."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class Attention(nn.Module):
    """Attention with several heads; queries, keys and values come of one linear map."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(
        self, states: Float[Tensor, "R L D"], mask: Float[Tensor, "R 1 1 L"] | None = None
    ) -> Float[Tensor, "R L D"]:
        """The mask is added to scores; without one every place is seen."""
        by_head = self.qkv(states).unflatten(2, (3, self.heads, -1))  # (R, L, 3, H, E)
        query, key, value = by_head.permute(2, 0, 3, 1, 4)
        found = F.scaled_dot_product_attention(query, key, value, mask)
        return self.proj(found.transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    """Two linear maps with a wide middle."""

    def __init__(self, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Float[Tensor, "... D"]) -> Float[Tensor, "... D"]:
        return self.fc2(self.dropout(F.gelu(self.fc1(states))))


class DropPath(nn.Module):
    """Leaves out whole rows of a residual in training, and scales the others up (1603.09382)."""

    def __init__(self, chance: float) -> None:
        super().__init__()
        self.chance = chance

    def forward(self, states: Float[Tensor, "R ..."]) -> Float[Tensor, "R ..."]:
        if not self.training or self.chance == 0:
            return states
        kept = torch.rand(len(states), *[1] * (states.ndim - 1), device=states.device)
        return states * (kept >= self.chance).to(states) / (1 - self.chance)


class PatchEmbed(nn.Module):
    """Patches of frames as states."""

    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, patch)

    def forward(self, frames: Float[Tensor, "B T 3 S S"]) -> Float[Tensor, "B T P D"]:
        found = self.proj(frames.flatten(0, 1)).flatten(2).transpose(1, 2)
        return found.unflatten(0, frames.shape[:2])


class Block(nn.Module):
    """Attention and two linear maps, each behind a layer norm and before a residual sum."""

    def __init__(self, width: int, heads: int, dropout: float, drop_path: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=1e-6) for _ in range(2))
        self.attn, self.mlp = Attention(width, heads), Mlp(width, dropout)
        self.dropout, self.drop_path = nn.Dropout(dropout), DropPath(drop_path)

    def forward(
        self, states: Float[Tensor, "R L D"], mask: Float[Tensor, "R 1 1 L"] | None = None
    ) -> Float[Tensor, "R L D"]:
        """The mask is added to scores; without one every place is seen."""
        found = self.dropout(self.attn(self.norm1(states), mask))
        states = states + self.drop_path(found)
        return states + self.drop_path(self.dropout(self.mlp(self.norm2(states))))
