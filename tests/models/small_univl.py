"""A small UniVL in double precision and a ragged batch of stored features for it."""

import torch
from torch import Tensor

from reeltune.models.univl import Config, Univl
from reeltune.types import Batch

TEXTS = ["a red square", "a golden box moves left twice", "the disc", "a clip of a green circle"]
LENGTHS = [4, 1, 6, 3]
F = 10


def small(**changes: object) -> Univl:
    """Without dropout's randomness: in eval mode."""
    settings = {"encoder": None, "features": F, "width": 16, "words": 12, "frames": 8}
    torch.manual_seed(0)
    return Config.tiny().model_copy(update={**settings, **changes}).build().double()


def videos(seed: int = 0) -> tuple[Tensor, Tensor]:
    source = torch.Generator().manual_seed(seed)
    shape = (len(LENGTHS), max(LENGTHS), F)
    features = torch.randn(shape, generator=source, dtype=torch.float64)
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    return features, mask


def batch_for(model: Univl, **targets: Tensor) -> Batch:
    features, mask = videos()
    tokens = model.tokenize(TEXTS)
    return Batch(features, mask, tokens, torch.arange(len(TEXTS)), targets)


def hidden_in(model: Univl, seed: int = 3) -> dict[str, Tensor]:
    """What a batch may bring: words and frames to hide."""
    from reeltune.models._bert.words import inner
    from reeltune.objectives.masked_frame import mask_frames
    from reeltune.objectives.masked_language import mask_words

    source = torch.Generator().manual_seed(seed)
    tokens, (_, mask) = model.tokenize(TEXTS), videos()
    masked = mask_words(tokens.ids, inner(tokens), model.words.mask, len(model.words), 0.4, source)
    return {
        "masked_words": masked.ids,
        "masked_labels": masked.labels,
        "hidden_frames": mask_frames(mask, 0.4, source),
    }
