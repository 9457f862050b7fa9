"""The optimizer and its schedule."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from reeltune.errors import ConfigError
from reeltune.training.schedule import CUT, CUTS, FOLLOWS
from reeltune.training.settings import Settings

DECAYED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.RNNBase)  # the last: LSTM, GRU and plain ones
MOMENTUM = 0.9  # of SGD
SHOWN = 6  # names of weights in a message


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """Weights that ask for a gradient; raises ConfigError if there is none."""
    found = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    if not found:
        raise ConfigError("no weight of this model is trainable; evaluate it as it is")
    return found


def optimizer_of(model: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """The optimizer of the settings, over trainable weights alone.

    Decay is for the matrices of linear, convolution and recurrent layers. Biases, norms, the
    temperature and prompts, which are positions in a space and not maps of it, are not decayed.
    A group of weights has its highest rate as `peak`, and as `called` the pattern that gave it.
    """
    weights = trainable(model)
    matrices = {
        id(weight)
        for module in model.modules()
        if isinstance(module, DECAYED)
        for name, weight in module.named_parameters(recurse=False)
        if name.startswith("weight")
    }
    groups: list[dict[str, Any]] = []
    for pattern, names in _by_pattern(weights, settings).items():
        own, rate = [weights[name] for name in names], settings.rates.get(pattern, settings.lr)
        shared = {"lr": rate, "peak": rate, "called": pattern}
        groups += [
            {"params": [w for w in own if id(w) in matrices], **shared},
            {"params": [w for w in own if id(w) not in matrices], "weight_decay": 0.0, **shared},
        ]
    lr, decay = settings.lr, settings.weight_decay
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, lr, MOMENTUM, weight_decay=decay, nesterov=True)
    return torch.optim.AdamW(groups, lr, weight_decay=decay)


def _by_pattern(weights: Iterable[str], settings: Settings) -> dict[str, list[str]]:
    """Names of weights by the one pattern of `rates` that is a part of them; "" for all others.

    Errors: `ConfigError` for a pattern that is in no name, and for two that are in the same.
    """
    found: dict[str, list[str]] = {"": [], **{pattern: [] for pattern in settings.rates}}
    for name in weights:
        matching = [pattern for pattern in settings.rates if pattern in name]
        if len(matching) > 1:
            raise ConfigError(
                f"training.rates gives {name} several rates, by {' and by '.join(matching)}; let "
                "one pattern alone be a part of its name"
            )
        found["".join(matching)].append(name)
    for pattern in settings.rates:
        if not found[pattern]:
            raise ConfigError(
                f"training.rates gives a rate to {pattern!r}, which is no part of the name of a "
                f"trainable weight; these are {_some(weights)}"
            )
    return found


def _some(names: Iterable[str]) -> str:
    """The first few names, in words."""
    listed = list(names)
    return ", ".join(listed[:SHOWN]) + (f" and {len(listed) - SHOWN} more" * (len(listed) > SHOWN))


def learning_rate(step: int, steps: int, settings: Settings, peak: float) -> float:
    """The rate: linear from zero over the warm-up, then half a cosine or a line down to zero, or
    steps; `peak` for rules that look at validation."""
    if settings.schedule in FOLLOWS:
        return peak
    warmup = settings.warmup * steps
    if step < warmup:
        return peak * (step + 1) / math.ceil(warmup)
    done = (step - warmup) / max(steps - warmup, 1)
    if settings.schedule == "steps":
        return peak * CUT ** sum(done >= cut for cut in CUTS)
    if settings.schedule == "linear":
        return peak * (1 - done)
    return peak * (1 + math.cos(math.pi * done)) / 2
