"""Copies of networks of which some parts are in a coarser precision, and the rest is shared."""

import copy
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import nn

from reeltune.nn.int8_narrow import with_narrow_int8
from reeltune.records import Precision

Network = TypeVar("Network", bound=nn.Module)


def with_rounded(network: Network, parts: Sequence[str], precision: Precision) -> Network:
    """A copy of `network` that shares all but the modules of these dotted names, which are in
    this precision; a name of a module that is not there is passed over."""
    copied = copy.copy(network)
    copied._modules = dict(network._modules)
    for name, module in network._modules.items():
        inner = [part.removeprefix(f"{name}.") for part in parts if part.startswith(f"{name}.")]
        if module is None:
            continue
        if name in parts:
            with torch.inference_mode(False):  # or its weights would have no versions
                copied._modules[name] = _rounded(module, precision)
        elif inner:
            copied._modules[name] = with_rounded(module, inner, precision)
    return copied


def _rounded(module: nn.Module, precision: Precision) -> nn.Module:
    """A copy in bfloat16, or one of which the linear layers are in int8."""
    if precision == "int8":
        return with_narrow_int8(module)
    return copy.deepcopy(module).to(torch.bfloat16)
