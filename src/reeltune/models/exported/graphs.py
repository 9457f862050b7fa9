"""What of a model is written as ONNX."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from reeltune.models.exported.card import Part
from reeltune.models.text_towers.clip import Cleaning
from reeltune.types import DualEncoder


class Graph(nn.Module):
    """A function of a model's weights, as a module that can be traced."""

    def __init__(self, compute: Callable[..., Tensor], model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self._compute = compute

    def forward(self, *inputs: Tensor) -> Tensor:
        """One tensor of some."""
        return self._compute(*inputs)


@dataclass(frozen=True, kw_only=True)
class Graphs:
    """Both towers, without what a batch is split into, and what is done around them."""

    text: Graph  # (B, L) ids and (B, L) mask, both int64 -> (B, D)
    frames: Graph  # uint8 (B, 3, S, S) -> (B, D), whose mean over frames `parts` bring to length
    parts: tuple[Part, ...]
    words: str  # the JSON of a tokenizer, which cuts and pads
    cleaning: Cleaning
    frames_at_once: int


@runtime_checkable
class Exportable(DualEncoder, Protocol):
    """A dual encoder both of whose towers can be graphs."""

    def graphs(self) -> Graphs:
        """What is written of it; raises ConfigError where that is not possible."""
        ...
