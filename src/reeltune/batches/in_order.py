"""Clips and texts of a split in their order, each once, as a model reads them when it is judged."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from reeltune.batches.loader import ClipReader, stack
from reeltune.errors import DataError
from reeltune.types import Pair, Tokens


def gallery_of(pairs: Sequence[Pair]) -> tuple[list[str], list[Pair]]:
    """Ids of the videos and one pair of each, in the order in which they first appear."""
    first: dict[str, Pair] = {}
    for pair in pairs:
        if pair != first.setdefault(pair.video, pair) and _clip(pair) != _clip(first[pair.video]):
            raise DataError(
                f"video {pair.video!r} stands for two different clips; give each span its own id"
            )
    return list(first), list(first.values())


def clip_batches(
    reader: ClipReader, clips: Sequence[Pair], size: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Frames and masks of `size` clips at once, in their order."""
    nothing = Tokens(torch.zeros(1, 1, dtype=torch.long), torch.ones(1, 1, dtype=torch.bool))
    for start in range(0, len(clips), size):
        frames = [reader.read(clip) for clip in clips[start : start + size]]
        batch = stack(frames, nothing, torch.zeros(len(frames), dtype=torch.long))
        yield batch.frames, batch.mask


def text_batches(texts: Sequence[str], size: int) -> Iterator[list[str]]:
    """The different texts, `size` at once, of like length so that a batch pads little."""
    different = sorted(set(texts), key=lambda text: (len(text), text))
    yield from (different[start : start + size] for start in range(0, len(different), size))


def _clip(pair: Pair) -> tuple[Any, ...]:
    return pair.path, pair.start, pair.end
