"""Takes whole hidden units out of a model, which becomes a smaller dense one and really faster.

Zeros among weights cost as much time as other numbers; a hidden unit that is gone costs none.
Which rows and columns belong to one unit only the model knows, so it says so: a `Group` lists
them, producers (the rows that compute the unit) and consumers (the columns that read it).
`gru_rows`, `gru_columns`, `rows`, `norm_rows` and `columns` make these lists for the usual layers.
"""

import copy
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from reeltune.compress.prune import zeros_of
from reeltune.errors import ConfigError

Norm = Literal["l1", "l2"]
Kept = Mapping[str, Int[Tensor, " units"]]  # by group: the units that stay, in rising order


@dataclass(frozen=True)
class Span:
    """The place of a group's units in a tensor: unit u is at `start + u` along `dim`."""

    tensor: str  # parameter or buffer of the model
    dim: int = 0
    start: int = 0


@dataclass(frozen=True, kw_only=True)
class Group:
    """Hidden units that can be taken out one by one.

    A unit whose producers are all zero must be zero itself, so that nothing is lost with it: true
    of GRU states that start at zero, of filters before a ReLU, of rows before a batch norm whose
    own rows are producers too.
    """

    name: str
    units: int
    producers: tuple[Span, ...]
    consumers: tuple[Span, ...] = ()


def gru_rows(layer: str, hidden: int, reverse: bool = False) -> tuple[Span, ...]:
    """Rows of the states of one direction of a GRU's first layer: one in each of three gates."""
    way = "_reverse" if reverse else ""
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return tuple(
        Span(f"{layer}.{kind}_l0{way}", 0, gate * hidden) for kind in kinds for gate in range(3)
    )


def gru_columns(layer: str, reverse: bool = False) -> tuple[Span, ...]:
    """Columns by which a direction of a GRU's first layer reads its own states."""
    return (Span(f"{layer}.weight_hh_l0{'_reverse' if reverse else ''}", 1),)


def rows(layer: str, bias: bool = True) -> tuple[Span, ...]:
    """A row of a linear layer, or a filter of a convolution."""
    return (Span(f"{layer}.weight"), *([Span(f"{layer}.bias")] if bias else []))


def norm_rows(layer: str) -> tuple[Span, ...]:
    """Entries of an affine batch norm that belong to a unit."""
    return (*rows(layer), Span(f"{layer}.running_mean"), Span(f"{layer}.running_var"))


def columns(layer: str, start: int = 0) -> tuple[Span, ...]:
    """Columns of a linear layer, or input channels of a convolution, from `start` on."""
    return (Span(f"{layer}.weight", 1, start),)


def importance(model: nn.Module, group: Group, norm: Norm = "l2") -> Float[Tensor, " units"]:
    """Norm of all parameters that compute each unit (Li et al., 1608.08710, for filters)."""
    total = torch.zeros(group.units, dtype=torch.float64)
    parameters = dict(model.named_parameters(remove_duplicate=False))
    for span in group.producers:
        if span.tensor in parameters:  # statistics of a norm say nothing of a unit's weight
            part = _part(parameters[span.tensor].detach().double().cpu(), span, group)
            flat = part.movedim(span.dim, 0).reshape(group.units, -1)
            total += flat.abs().sum(dim=1) if norm == "l1" else flat.square().sum(dim=1)
    return total if norm == "l1" else total.sqrt()


def choose(model: nn.Module, groups: Sequence[Group], amount: float, norm: Norm = "l2") -> Kept:
    """The units that stay when the same share of every group goes, the least important first."""
    kept = {}
    for group in groups:
        gone = min(zeros_of(group.units, amount), group.units - 1)
        order = importance(model, group, norm).argsort(stable=True)
        kept[group.name] = order[gone:].sort().values
    return kept


@torch.no_grad()
def zero_units(model: nn.Module, groups: Sequence[Group], kept: Kept) -> None:
    """Make all producers of the other units zero, in place; the model keeps its shape."""
    tensors = model.state_dict(keep_vars=True)
    for group in groups:
        for span in group.producers:
            part = _part(tensors[span.tensor], span, group)
            part.index_fill_(span.dim, _gone(group, kept), 0)


def remove_units(model: nn.Module, groups: Sequence[Group], kept: Kept) -> nn.Module:
    """A copy of the model without the other units, which computes what the model does if they are
    zero.

    Errors: `ConfigError` if a span does not fit its tensor.
    """
    small = copy.deepcopy(model)
    cuts: dict[tuple[str, int], list[Tensor]] = defaultdict(list)
    tensors = small.state_dict(keep_vars=True)
    for group in groups:
        for span in dict.fromkeys(group.producers + group.consumers):
            _part(_named(tensors, span, group), span, group)
            cuts[span.tensor, span.dim].append(span.start + _gone(group, kept))
    for (name, dim), gone in cuts.items():
        _cut(small, name, dim, torch.cat(gone))
    for module in small.modules():
        _resize(module)
    return small


def _gone(group: Group, kept: Kept) -> Int[Tensor, " gone"]:
    stays = torch.zeros(group.units, dtype=torch.bool)
    stays[kept[group.name]] = True
    return (~stays).nonzero()[:, 0]


def _named(tensors: Mapping[str, Tensor], span: Span, group: Group) -> Tensor:
    if span.tensor not in tensors:
        raise ConfigError(
            f"group {group.name} names {span.tensor}, which the model does not have; "
            f"name one of its parameters or buffers"
        )
    return tensors[span.tensor]


def _part(tensor: Tensor, span: Span, group: Group) -> Tensor:
    size = tensor.shape[span.dim] if span.dim < tensor.ndim else 0
    if span.start + group.units > size:
        raise ConfigError(
            f"group {group.name} has {group.units} units from {span.start} on along dim {span.dim} "
            f"of {span.tensor}, which is {tuple(tensor.shape)}; mend start, dim or units"
        )
    return tensor.narrow(span.dim, span.start, group.units)


def _cut(model: nn.Module, name: str, dim: int, gone: Int[Tensor, " gone"]) -> None:
    """Put a tensor without some indices along `dim` in the place of the old one."""
    place, _, leaf = name.rpartition(".")
    module = model.get_submodule(place)
    old = getattr(module, leaf)
    stays = torch.ones(old.shape[dim], dtype=torch.bool)
    stays[gone] = False
    new = old.detach().index_select(dim, stays.nonzero()[:, 0].to(old.device))
    is_weight = isinstance(old, nn.Parameter)
    setattr(module, leaf, nn.Parameter(new, requires_grad=old.requires_grad) if is_weight else new)


def _resize(module: nn.Module) -> None:
    """Take the sizes that a layer states beside its weights from the weights again."""
    if isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d) and module.groups == 1:
        module.out_channels, module.in_channels = module.weight.shape[:2]
    elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d) and module.affine:
        module.num_features = len(module.weight)
    elif isinstance(module, nn.GRU):
        weights = dict(module.named_parameters())
        module.input_size = weights["weight_ih_l0"].shape[1]
        module.hidden_size = weights["weight_hh_l0"].shape[1]
        module.flatten_parameters()
