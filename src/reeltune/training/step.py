"""Training steps: from a batch to gradients, and the figures to be logged."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from functools import reduce
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from reeltune.errors import ConfigError
from reeltune.nn.draw import Draw
from reeltune.objectives.named import device_of, named_losses
from reeltune.ranks.ranks import everyone
from reeltune.training.contrasted import is_contrasted
from reeltune.types import Batch, Contrasted, Tokens

Precision = Literal["fp32", "bf16"]


@runtime_checkable
class Step(Protocol):
    """Adds the gradients of a batch to the weights' own; `share` is its part of a step.

    `reads` names those of `training.settings.OF_STEPS` that the step follows.
    """

    reads: frozenset[str]

    def __call__(self, batch: Batch, share: float = 1.0) -> dict[str, float]: ...


@runtime_checkable
class Stateful(Protocol):
    """A step that learns something itself, which a resumed run must have again."""

    def state_dict(self) -> dict[str, Tensor]:
        """What a resumed run must have again."""
        ...

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from such a state."""
        ...


@runtime_checkable
class Following(Protocol):
    """A step that learns from what the optimizer made of it."""

    def updated(self) -> None:
        """Be told that the weights have just been moved."""
        ...


@runtime_checkable
class Reporting(Protocol):
    """A step that has something to say of each epoch, beside what it says of its batches."""

    def end_epoch(self) -> dict[str, float]:
        """Figures of the epoch that has just ended; the next one begins with none."""
        ...


class Sum:
    """Weighted sum of the losses that the model names; a loss without a weight counts once."""

    reads = frozenset({"precision"})

    def __init__(
        self,
        model: Any,
        weights: Mapping[str, float] | None = None,
        precision: Precision = "fp32",
    ) -> None:
        self._model, self._weights, self._precision = model, dict(weights or {}), precision

    def __call__(self, batch: Batch, share: float = 1.0) -> dict[str, float]:
        losses = named_losses(self._model, batch, self._precision == "bf16")
        if unknown := self._weights.keys() - losses.keys():
            raise ConfigError(
                f"weights are given for {', '.join(sorted(unknown))}, and the losses of the model "
                f"are {', '.join(losses)}; name only these"
            )
        total = reduce(torch.add, (self._weights.get(n, 1.0) * x for n, x in losses.items()))
        (share * total).backward()
        named = {"loss": total, **losses}
        return {name: float(loss.detach()) for name, loss in named.items()}


class Contrast:
    """Losses of the vectors of all processes, summed.

    With `chunk`, activations of that many pairs are held at once, and the batch may be as large
    as its vectors allow: vectors first without a graph, then the gradient of the loss by each
    vector, then each chunk again with a graph (Gao et al., 2101.06983). The gradient is the same.
    """

    reads = frozenset({"precision", "chunk", "shard"})

    def __init__(
        self, model: Contrasted, precision: Precision = "fp32", chunk: int | None = None
    ) -> None:
        if not is_contrasted(model):
            raise ConfigError(
                f"{type(model).__name__} has losses that need more than its vectors, or no "
                "vector_losses of its own; give it vector_losses(text, video, group) with all of "
                "its losses, or train it by Sum"
            )
        self._model, self._precision, self._chunk = model, precision, chunk
        self._names: set[str] | None = None  # of the model's losses, once they are known

    def __call__(self, batch: Batch, share: float = 1.0) -> dict[str, float]:
        gather = everyone().gather
        group = gather(batch.video.to(self._model.logit_scale.device))
        if self._chunk is None or self._chunk >= len(batch.video):
            text, video = self._encode(batch)
            losses = self._losses(batch, gather(text), gather(video), group)
            self._backward(losses, share)
        else:
            losses = self._in_chunks(batch, self._chunk, group, share)
        figures = {name: float(loss.detach()) for name, loss in losses.items()}
        return {"loss": sum(figures.values()), **figures}

    def _losses(
        self, batch: Batch, text: Tensor, video: Tensor, group: Tensor
    ) -> dict[str, Tensor]:
        """Losses of the vectors; all losses that the model names must be among them."""
        found = self._model.vector_losses(text, video, group)
        if self._names is None:
            self._names = names_of_losses(self._model, next(chunks(batch, 2)))
        if found.keys() != self._names:
            raise ConfigError(
                f"losses of {type(self._model).__name__} names {', '.join(sorted(self._names))}, "
                f"and its vector_losses {', '.join(sorted(found))}; return the same from both, or "
                "train it by Sum"
            )
        return found

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
        every = everyone().gather
        losses = self._losses(batch, every(text), every(video), group)
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


@torch.no_grad()
def names_of_losses(model: Any, batch: Batch) -> set[str]:
    """Names of the losses that a model gives for a batch; asking changes nothing in it."""
    modes = [(module, module.training) for module in model.modules()]
    with Draw(device_of(model)).again():
        model.eval()  # statistics of batch norms stay as they are
        try:
            return set(named_losses(model, batch))
        finally:
            for module, mode in modes:
                module.training = mode


def chunks(batch: Batch, size: int) -> Iterator[Batch]:
    """A batch in parts of at most `size` pairs."""
    for rows in _rows(len(batch.video), size):
        tokens = Tokens(batch.tokens.ids[rows], batch.tokens.mask[rows])
        targets = {name: target[rows] for name, target in batch.targets.items()}
        yield Batch(batch.frames[rows], batch.mask[rows], tokens, batch.video[rows], targets)


def _rows(count: int, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, count, size)]


def _gradient(leaf: Tensor) -> Tensor:
    return leaf.grad if leaf.grad is not None else torch.zeros_like(leaf)
