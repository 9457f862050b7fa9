"""A small Dual Encoding with everything in it, and batches for it."""

from typing import Any

import torch
from torch import Tensor, nn

from reeltune.models.dual_encoding import Config, DualEncoding
from reeltune.types import Batch, Tokens

LENGTHS = [5, 1, 8, 3]  # real frames of four videos
WORDS = [2, 7, 0, 4]  # words of four texts
SIZES = {"words": 11, "embedding": 8, "hidden": 6, "filters": 4, "latent": 10, "concepts": 5}


def small(**settings: Any) -> DualEncoding:
    """Random weights, and normalisation with statistics that are not those of the start."""
    torch.manual_seed(0)
    model = Config(features=9, **{**SIZES, **settings}).build()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias)
    for name, weight in model.named_parameters():
        if name.endswith("bias") and "norm" not in name:
            nn.init.normal_(weight)  # positive ones win a maximum against zeros of the padding
    nn.init.normal_(model.text.embedding.weight)
    if model.text.embedding.padding_idx is not None:
        nn.init.zeros_(model.text.embedding.weight[0].data)
    return model


def clips(lengths: list[int] = LENGTHS, width: int = 9) -> list[Tensor]:
    source = torch.Generator().manual_seed(1)
    return [torch.randn(length, width, generator=source) for length in lengths]


def rows(counts: list[int] = WORDS, words: int = 11) -> list[list[int]]:
    """Ids with their marks; some of them unknown."""
    source = torch.Generator().manual_seed(2)
    return [
        [1, *torch.randint(3, words + 4, (count,), generator=source).tolist(), 2]
        for count in counts
    ]


def stacked(frames: list[Tensor], length: int | None = None) -> tuple[Tensor, Tensor]:
    """Clips as one block, with noise where there is no frame, and their mask."""
    longest = length or max(map(len, frames))
    block = 100 * torch.randn(len(frames), longest, frames[0].shape[1])
    mask = torch.zeros(len(frames), longest, dtype=torch.bool)
    for place, clip in enumerate(frames):
        block[place, : len(clip)], mask[place, : len(clip)] = clip, True
    return block, mask


def tokens(ids: list[list[int]], length: int | None = None) -> Tokens:
    longest = length or max(map(len, ids))
    block = torch.zeros(len(ids), longest, dtype=torch.long)
    mask = torch.zeros(len(ids), longest, dtype=torch.bool)
    for place, row in enumerate(ids):
        block[place, : len(row)], mask[place, : len(row)] = torch.tensor(row), True
    return Tokens(block, mask)


def batch(with_targets: bool = True) -> Batch:
    frames, mask = stacked(clips())
    targets = {"concepts": torch.rand(4, 5, generator=torch.Generator().manual_seed(3))}
    video = torch.tensor([0, 1, 2, 2])
    return Batch(frames, mask, tokens(rows()), video, targets if with_targets else {})
