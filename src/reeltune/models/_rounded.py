"""Copies of networks of which some parts are in bfloat16, and the rest is shared."""

import copy
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def with_rounded(network: Network, parts: Sequence[str]) -> Network:
    """A copy of `network` that shares all but the modules of these dotted names, which are in
    bfloat16; a name of a module that is not there is passed over."""
    copied = copy.copy(network)
    copied._modules = dict(network._modules)
    for name, module in network._modules.items():
        inner = [part.removeprefix(f"{name}.") for part in parts if part.startswith(f"{name}.")]
        if module is None:
            continue
        if name in parts:
            with torch.inference_mode(False):  # or its weights would have no versions
                copied._modules[name] = copy.deepcopy(module).to(torch.bfloat16)
        elif inner:
            copied._modules[name] = with_rounded(module, inner)
    return copied
