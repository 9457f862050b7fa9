"""A model in int8 for a CPU: its linear, convolutional and recurrent layers, rounded as they are.

Dynamic, after training, without data: weights have a scale for each output, inputs one for each
row, taken as they come. PyTorch's `torch.ao.quantization` is deprecated (2.13 warns on each use)
and its successor torchao has linear layers alone, on the same product; so the layers are ours.

The result is a module like any other. To store it, `pack` its state dict; to load it again,
quantise a model of the same shape and fill it: `again.load_state_dict(read_packed(path))`.
"""

import copy

import torch
from torch import nn

from reeltune.errors import ConfigError
from reeltune.nn._int8_recurrent import Int8Recurrent
from reeltune.nn.int8 import Int8Conv1d, Int8Linear


def quantize(model: nn.Module) -> nn.Module:
    """A copy in eval mode whose layers are int8 where there is such a layer; the rest as it is.

    Linear, GRU, LSTM without projection, and Conv1d of stride 1 without dilation or groups are
    replaced, and nothing that is derived from them. Errors: `ConfigError` for a model that is not
    in float32 on the CPU, or that has no such layer.
    """
    if (name := _elsewhere(model)) is not None:
        weight = model.get_parameter(name)
        raise ConfigError(
            f"{name} is {weight.dtype} on {weight.device}, and int8 layers are for a CPU; "
            "open the model with device='cpu' and in float32"
        )
    if (whole := _replaced(model)) is not None:
        return whole.eval()
    small = copy.deepcopy(model).eval()
    done: dict[nn.Module, nn.Module | None] = {}
    for parent in list(small.modules()):
        for name, child in parent._modules.items():  # a child may have two places
            if child is None:
                continue
            if child not in done:
                done[child] = _replaced(child)
            if (new := done[child]) is not None:
                parent._modules[name] = new
    if not any(done.values()):
        raise ConfigError(
            f"{type(model).__name__} has no layer that int8 could replace; it takes Linear, Conv1d "
            "of stride 1, GRU and LSTM"
        )
    return small.eval()


def fits_int8(model: nn.Module) -> bool:
    """Whether all weights are in float32 on the CPU."""
    return _elsewhere(model) is None


def _elsewhere(model: nn.Module) -> str | None:
    """The first weight that is not in float32 on the CPU."""
    for name, weight in model.named_parameters():
        if weight.device.type != "cpu" or weight.dtype != torch.float32:
            return name
    return None


def _replaced(layer: nn.Module) -> nn.Module | None:
    """The layer in int8; None if there is no such form, or if a subclass may compute otherwise."""
    if type(layer) not in (nn.Linear, nn.Conv1d, nn.GRU, nn.LSTM):
        return None
    if isinstance(layer, nn.Linear):
        return Int8Linear(layer)
    if isinstance(layer, nn.Conv1d):
        return Int8Conv1d(layer) if _is_plain(layer) else None
    if isinstance(layer, nn.GRU | nn.LSTM) and not layer.proj_size:
        return Int8Recurrent(layer)
    return None


def _is_plain(layer: nn.Conv1d) -> bool:
    one = layer.stride == layer.dilation == (1,) and layer.groups == 1
    return one and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
