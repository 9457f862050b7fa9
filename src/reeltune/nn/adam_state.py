"""The moments of an Adam as flat tensors by the names of its parameters, for one state file."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

KEPT = ("step", "exp_avg", "exp_avg_sq")


def adam_state(
    optimizer: torch.optim.Optimizer, named: Iterable[tuple[str, nn.Parameter]]
) -> dict[str, Tensor]:
    """Moments and steps of each parameter, as `NAME/exp_avg`; nothing before the first step."""
    return {
        f"{name}/{key}": value
        for name, parameter in named
        for key, value in optimizer.state.get(parameter, {}).items()
    }


def load_adam_state(
    optimizer: torch.optim.Optimizer,
    named: Iterable[tuple[str, nn.Parameter]],
    stored: Mapping[str, Tensor],
) -> None:
    """Let the optimizer go on from what `adam_state` gave, which stays as it is."""
    for name, parameter in named:
        own = {key: stored[f"{name}/{key}"] for key in KEPT if f"{name}/{key}" in stored}
        optimizer.state[parameter] = {
            key: t.clone() if key == "step" else t.to(parameter.device, copy=True)
            for key, t in own.items()
        }
