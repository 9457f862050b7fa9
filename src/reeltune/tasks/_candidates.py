"""Scores of chosen pairs, each half of which is read once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from reeltune.batches.in_order import clip_batches
from reeltune.batches.loader import ClipReader
from reeltune.types import Pair

CLIPS_AT_ONCE = 64
TEXTS_AT_ONCE = 128


@dataclass(frozen=True)
class _Clips:
    """Clips that a model has read, of like shape, and their columns."""

    read: Any
    columns: Int[np.ndarray, " n"]


@torch.inference_mode()
def candidate_scores(
    model: Any,
    reader: ClipReader,
    texts: Sequence[str],
    clips: Sequence[Pair],
    columns: Int[np.ndarray, "Q K"],
) -> Float[np.ndarray, "Q K"]:
    """Scores of each text with the clips of its row of `columns`, and of no other pair.

    A text's candidates go through the model together. All clips that a model has read are kept in
    memory, and one batch of texts.
    """
    blocks = _clips_read(model, reader, clips)
    found = np.empty(columns.shape, np.float32)
    for rows in _of_like_length(texts):
        read = model.read_text(model.tokenize([texts[row] for row in rows]))
        for place, row in enumerate(rows):
            text = rows_of(read, torch.tensor([place]))
            for block in blocks:
                here, chosen = np.nonzero(columns[row][:, None] == block.columns)
                if len(here):
                    some = rows_of(block.read, torch.from_numpy(chosen))
                    found[row, here] = model.align(text, some).float().cpu().numpy()[0]
    return found


def rows_of(read: Any, chosen: Int[Tensor, " n"]) -> Any:
    """The chosen items of what `read_text` or `read_video` gave: a tensor with a row an item, or a
    tuple or dataclass of such. What is neither belongs to all items alike."""
    return _mapped(lambda tensors: tensors[0][chosen.to(tensors[0].device)], [read])


def _clips_read(model: Any, reader: ClipReader, clips: Sequence[Pair]) -> list[_Clips]:
    """All clips, joined where they have like shapes, so that candidates go together."""
    alike: dict[tuple[tuple[int, ...], ...], list[tuple[Any, Int[np.ndarray, " n"]]]] = {}
    start = 0
    for frames, mask in clip_batches(reader, clips, CLIPS_AT_ONCE):
        read, columns = model.read_video(frames, mask), np.arange(start, start + len(mask))
        alike.setdefault(tuple(_shapes(read)), []).append((read, columns))
        start += len(mask)
    return [
        _Clips(
            _mapped(torch.cat, [read for read, _ in some]),
            np.concatenate([columns for _, columns in some]),
        )
        for some in alike.values()
    ]


def _of_like_length(texts: Sequence[str]) -> Iterator[list[int]]:
    """Rows, some at once, whose texts are of like length so that a batch pads little."""
    order = sorted(range(len(texts)), key=lambda row: (len(texts[row]), texts[row]))
    yield from (
        order[start : start + TEXTS_AT_ONCE] for start in range(0, len(order), TEXTS_AT_ONCE)
    )


def _shapes(read: Any) -> Iterator[tuple[int, ...]]:
    """Shapes of the tensors of what was read, but for the number of items."""
    if isinstance(read, Tensor):
        yield tuple(read.shape[1:])
    for part in _parts(read):
        yield from _shapes(part)


def _mapped(join: Any, several: list[Any]) -> Any:
    """What `join` makes of the tensors that stand in the same place of several reads."""
    first = several[0]
    if isinstance(first, Tensor):
        return join(several)
    made = [_mapped(join, list(some)) for some in zip(*map(_parts, several), strict=True)]
    if is_dataclass(first) and not isinstance(first, type):
        names = [field.name for field in fields(first)]
        return replace(first, **dict(zip(names, made, strict=True)))
    return type(first)(made) if isinstance(first, tuple | list) else first


def _parts(read: Any) -> list[Any]:
    if is_dataclass(read) and not isinstance(read, type):
        return [getattr(read, field.name) for field in fields(read)]
    return list(read) if isinstance(read, tuple | list) else []
