"""The optimizer and its schedule."""

import math
from typing import Any

import torch
from torch import nn

from reeltune.errors import ConfigError
from reeltune.training.settings import Settings

DECAYED = (nn.Linear, nn.Conv2d, nn.LSTM)


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """Weights that ask for a gradient; raises ConfigError if there is none."""
    found = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    if not found:
        raise ConfigError("no weight of this model is trainable; evaluate it as it is")
    return found


def optimizer_of(model: nn.Module, settings: Settings) -> torch.optim.AdamW:
    """AdamW over trainable weights alone.

    Decay is for the matrices of linear, convolution and recurrent layers. Biases, norms, the
    temperature and prompts, which are positions in a space and not maps of it, are not decayed.
    """
    weights = trainable(model)
    matrices = {
        id(weight)
        for module in model.modules()
        if isinstance(module, DECAYED)
        for name, weight in module.named_parameters(recurse=False)
        if name.startswith("weight")
    }
    groups: list[dict[str, Any]] = [
        {"params": [w for w in weights.values() if id(w) in matrices]},
        {"params": [w for w in weights.values() if id(w) not in matrices], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.lr, weight_decay=settings.weight_decay)


def learning_rate(step: int, steps: int, settings: Settings) -> float:
    """Linear from zero over the warm-up, then half a cosine or a line down to zero; `lr` for rules
    that look at validation."""
    if settings.schedule not in ("cosine", "linear"):
        return settings.lr
    warmup = settings.warmup * steps
    if step < warmup:
        return settings.lr * (step + 1) / math.ceil(warmup)
    done = (step - warmup) / max(steps - warmup, 1)
    if settings.schedule == "linear":
        return settings.lr * (1 - done)
    return settings.lr * (1 + math.cos(math.pi * done)) / 2
