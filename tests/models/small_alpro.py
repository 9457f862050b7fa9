"""A small ALPRO in double precision and a ragged batch of clips for it."""

import torch
from torch import Tensor

from reeltune.models.alpro import Alpro, Config
from reeltune.types import Batch

TEXTS = ["a red square", "a golden box moves left twice", "the disc", "a clip of a green circle"]
LENGTHS = [4, 1, 3, 2]


def small(**changes: object) -> Alpro:
    """In evaluation mode, without dropout's randomness."""
    torch.manual_seed(0)
    return Config.tiny().model_copy(update=changes).build().double()


def clips(seed: int = 0, size: int = 32) -> tuple[Tensor, Tensor]:
    source = torch.Generator().manual_seed(seed)
    shape = (len(LENGTHS), max(LENGTHS), 3, size, size)
    frames = torch.randint(0, 256, shape, generator=source, dtype=torch.uint8)
    return frames, torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]


def batch_for(model: Alpro, video: list[int] | None = None) -> Batch:
    of = torch.arange(len(TEXTS)) if video is None else torch.tensor(video)
    return Batch(*clips(), model.tokenize(TEXTS), of)
