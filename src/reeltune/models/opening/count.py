"""How many parameters a model has, in all and by part."""

from collections import defaultdict
from typing import TypedDict

from torch import nn


class Part(TypedDict):
    """Parameters of one part."""

    total: int
    trainable: int


class Count(TypedDict):
    """Parameters of a model; a weight that two parts share counts once, in the first."""

    total: int
    trainable: int
    frozen: int
    parts: dict[str, Part]


def count_parameters(model: nn.Module) -> Count:
    """Parameters by part: a part is a child module, or a weight that stands alone.

    A model that only wraps another is counted by the parts of the one inside.
    """
    while len(children := [*model.children()]) == 1 and not [*model.parameters(recurse=False)]:
        model = children[0]
    parts: dict[str, Part] = defaultdict(lambda: Part(total=0, trainable=0))
    for name, weight in model.named_parameters():
        part = parts[name.split(".")[0]]
        part["total"] += weight.numel()
        part["trainable"] += weight.numel() if weight.requires_grad else 0
    total = sum(part["total"] for part in parts.values())
    trainable = sum(part["trainable"] for part in parts.values())
    return Count(total=total, trainable=trainable, frozen=total - trainable, parts=dict(parts))
