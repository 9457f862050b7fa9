"""The residual network for CIFAR (He et al., 1512.03385, section 4.2): 6 n + 2 layers.

With n = 5 blocks a stage, 16 channels at first and 100 classes it has 470,004 weights. Shortcuts
have none: where a stage halves the picture they skip every second place, and new channels are zero
(option A of the paper).
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from reeltune.nn.batch_norm import batch_norm
from reeltune.objectives.rotation import QUARTERS

STAGES = 3


class Block(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, given: int, width: int) -> None:
        super().__init__()
        self.stride, self.added = 1 if given == width else 2, width - given
        self.conv1 = nn.Conv2d(given, width, 3, self.stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, states: Float[Tensor, "N C S S"]) -> Float[Tensor, "N C1 S1 S1"]:
        inner = F.relu(batch_norm(self.bn1, self.conv1(states)))
        found = batch_norm(self.bn2, self.conv2(inner))
        kept = states[:, :, :: self.stride, :: self.stride]
        before = self.added // 2
        return F.relu(found + F.pad(kept, (0, 0, 0, 0, before, self.added - before)))


class Network(nn.Module):
    """Pictures to one state each; `linear` gives the scores of classes."""

    turns: Tensor

    def __init__(self, width: int, blocks: int, classes: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        widths = [width * 2**stage for stage in range(STAGES)]
        given = [width] + [wide for wide in widths for _ in range(blocks)]
        self.blocks = nn.Sequential(*map(Block, given, given[1:]))
        self.linear = nn.Linear(widths[-1], classes)
        self.register_buffer("turns", cosines(QUARTERS, widths[-1]), persistent=False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, pictures: Float[Tensor, "N 3 S S"]) -> Float[Tensor, "N D"]:
        """The mean over all places of what the last block gives."""
        states = self.blocks(F.relu(batch_norm(self.bn1, self.conv1(pictures))))
        return states.mean(dim=(2, 3))

    def turn_scores(self, states: Float[Tensor, "N D"]) -> Float[Tensor, "N 4"]:
        """Scores of the quarters by which a picture may be turned.

        The head is fixed, at cosines that are at right angles to each other: a network learns as
        well below such a head (Hoffer et al., 1801.04540), and has no weights for this loss alone.
        """
        return states @ self.turns.T


def cosines(rows: int, width: int) -> Float[Tensor, "R D"]:
    """The first rows behind the constant one of the discrete cosine transform (DCT-II)."""
    places = torch.arange(width, dtype=torch.float64) + 0.5
    waves = torch.arange(1, rows + 1, dtype=torch.float64)[:, None]
    return (math.sqrt(2 / width) * torch.cos(math.pi / width * waves * places)).float()
