"""Training steps: from a batch to gradients, and the figures to be logged."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from reeltune.models._contrast import Contrasted, vector_losses
from reeltune.nn.draw import Draw
from reeltune.training.distributed import gather, gather_ids
from reeltune.types import Batch, Tokens


@runtime_checkable
class Step(Protocol):
    """Adds the gradients of a batch to the weights' own; `share` is its part of a step."""

    def __call__(self, batch: Batch, share: float = 1.0) -> dict[str, float]: ...


@runtime_checkable
class Stateful(Protocol):
    """A step that learns something itself, which a resumed run must have again."""

    def state_dict(self) -> dict[str, Tensor]: ...

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None: ...


class Sum:
    """Weighted sum of the losses that the model names; a loss without a weight counts once."""

    def __init__(self, model: Any, weights: Mapping[str, float] | None = None) -> None:
        self._model, self._weights = model, dict(weights or {})

    def __call__(self, batch: Batch, share: float = 1.0) -> dict[str, float]:
        losses: dict[str, Tensor] = self._model.losses(batch)
        total = sum(
            (self._weights.get(n, 1.0) * loss for n, loss in losses.items()), torch.tensor(0.0)
        )
        (share * total).backward()
        named = {"loss": total, **losses}
        return {name: float(loss.detach()) for name, loss in named.items()}


class Contrast:
    """Contrastive losses over the vectors of all processes.

    With `chunk`, activations of that many pairs are held at once, and the batch may be as large
    as its vectors allow: vectors first without a graph, then the gradient of the loss by each
    vector, then each chunk again with a graph (Gao et al., 2101.06983). The gradient is the same.
    """

    def __init__(
        self,
        model: Contrasted,
        precision: Literal["fp32", "bf16"] = "fp32",
        chunk: int | None = None,
    ) -> None:
        self._model, self._precision, self._chunk = model, precision, chunk

    def __call__(self, batch: Batch, share: float = 1.0) -> dict[str, float]:
        group = gather_ids(batch.video.to(self._model.logit_scale.device))
        if self._chunk is None or self._chunk >= len(batch.video):
            text, video = self._encode(batch)
            losses = vector_losses(self._model, gather(text), gather(video), group)
            self._backward(losses, share)
        else:
            losses = self._in_chunks(batch, self._chunk, group, share)
        figures = {name: float(loss.detach()) for name, loss in losses.items()}
        return {"loss": sum(figures.values()), **figures}

    def _encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        with self._autocast():
            text = self._model.encode_text(batch.tokens)
            video = self._model.encode_video(batch.frames, batch.mask)
        return text.float(), video.float()

    def _autocast(self) -> AbstractContextManager[object]:
        device = self._model.logit_scale.device.type
        return torch.autocast(device, torch.bfloat16, enabled=self._precision == "bf16")

    def _backward(self, losses: Mapping[str, Tensor], share: float) -> None:
        torch.autograd.backward([share * loss for loss in losses.values()])

    def _in_chunks(self, batch: Batch, size: int, group: Tensor, share: float) -> dict[str, Tensor]:
        draws = []  # so that dropout draws the same in both passes
        vectors = []
        for some in chunks(batch, size):
            draws.append(Draw(self._model.logit_scale.device))
            with torch.no_grad():
                vectors.append(self._encode(some))
        text, video = (torch.cat(part).requires_grad_() for part in zip(*vectors, strict=True))
        losses = vector_losses(self._model, gather(text), gather(video), group)
        self._backward(losses, share)
        for some, draw, rows in zip(
            chunks(batch, size), draws, _rows(len(text), size), strict=True
        ):
            with draw.again():
                again = zip(self._encode(some), (text, video), strict=True)
            reached = [(rows_again, leaf) for rows_again, leaf in again if rows_again.requires_grad]
            torch.autograd.backward(
                [part for part, _ in reached], [_gradient(leaf)[rows] for _, leaf in reached]
            )
        return losses


def chunks(batch: Batch, size: int) -> Iterator[Batch]:
    """A batch in parts of at most `size` pairs."""
    for rows in _rows(len(batch.video), size):
        tokens = Tokens(batch.tokens.ids[rows], batch.tokens.mask[rows])
        yield Batch(batch.frames[rows], batch.mask[rows], tokens, batch.video[rows])


def _rows(count: int, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, count, size)]


def _gradient(leaf: Tensor) -> Tensor:
    return leaf.grad if leaf.grad is not None else torch.zeros_like(leaf)
