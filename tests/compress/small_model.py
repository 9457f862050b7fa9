"""A model with every kind of layer that compression knows, in the form of a dual encoder's side."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WORDS, WIDTH, HIDDEN, FILTERS, DIM = 50, 6, 8, 5, 7


class Small(nn.Module):
    """Words through an embedding, a GRU of two directions, a convolution and a linear layer."""

    def __init__(self, bidirectional: bool = True) -> None:
        super().__init__()
        self.table = nn.Embedding(WORDS, WIDTH)
        self.gru = nn.GRU(WIDTH, HIDDEN, batch_first=True, bidirectional=bidirectional)
        width = HIDDEN * (2 if bidirectional else 1)
        self.conv = nn.Conv1d(width, FILTERS, 3, padding=2)
        self.linear = nn.Linear(width + FILTERS, DIM)
        self.norm = nn.BatchNorm1d(DIM)

    def forward(self, ids: Tensor) -> Tensor:
        states, _ = self.gru(self.table(ids))  # (B, L, width)
        filtered = F.relu(self.conv(states.transpose(1, 2))).amax(dim=2)  # (B, FILTERS)
        return self.norm(self.linear(torch.cat([states.mean(dim=1), filtered], dim=1)))


def small(seed: int = 0, bidirectional: bool = True) -> Small:
    """The model with random weights and statistics of a batch, in eval mode."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Small(bidirectional)
        for _ in range(3):
            model(torch.randint(0, WORDS, (16, 9)))
    return model.eval()


def ids(seed: int = 0, rows: int = 4) -> Tensor:
    return torch.randint(0, WORDS, (rows, 9), generator=torch.Generator().manual_seed(seed))
