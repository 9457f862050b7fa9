"""A small Violet in double precision, and a ragged batch of clips for it."""

import torch
from torch import Tensor

from reeltune.models.violet import Config, Violet
from reeltune.types import Batch

TEXTS = ["a red square", "a golden box moves left twice", "the disc", "a clip of a green circle"]
LENGTHS = [4, 1, 3, 2]


def small(**changes: object) -> Violet:
    """Without dropout's randomness: in eval mode."""
    torch.manual_seed(0)
    return Config.tiny().model_copy(update={"layers": 2, **changes}).build().double()


def clips(model: Violet, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Clips of noise and which of their frames are real."""
    source, size = torch.Generator().manual_seed(seed), model.pixels.size
    shape = (len(LENGTHS), max(LENGTHS), 3, size, size)
    frames = torch.randint(0, 256, shape, dtype=torch.uint8, generator=source)
    return frames, torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]


def batch_for(model: Violet, video: tuple[int, ...] = (0, 1, 2, 3), **targets: Tensor) -> Batch:
    """The clips with their texts; `video` says which rows show the same one."""
    return Batch(*clips(model), model.tokenize(TEXTS), torch.tensor(video), targets)
