"""Global magnitude pruning: the smallest weights of all layers together become zero.

One threshold for all layers, so some lose more than others (as `torch.nn.utils.prune`'s
`global_unstructured` with `L1Unstructured`, which Dual Encoding++ uses, Lee et al., ICCE-Asia
2023). Here the number of zeros is exact and ties fall by position, so that a result can be made
again; masks are kept beside the weights, which stay plain parameters.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from reeltune.errors import CheckpointError, ConfigError

Masks = dict[str, Bool[Tensor, "..."]]  # by parameter: true where a weight is kept
DENSE = (nn.Linear, nn.modules.conv._ConvNd)
RECURRENT = (nn.GRU, nn.LSTM, nn.RNN)
LOOKED_UP = (nn.Embedding, nn.EmbeddingBag)


def prunable(
    model: nn.Module, *, biases: bool = False, embeddings: bool = False
) -> dict[str, nn.Parameter]:
    """Weights of linear, convolutional and recurrent layers, in the model's order.

    `biases` adds those of the same layers, `embeddings` the tables of embeddings. Norms are never
    pruned. A weight that two layers share is listed once, and only if both may be pruned.
    """
    chosen: dict[int, str] = {}
    spared: set[int] = set()
    for name, weight, kind in _weights(model):
        if kind == "weight" or (biases and kind == "bias") or (embeddings and kind == "table"):
            chosen.setdefault(id(weight), name)
        else:
            spared.add(id(weight))
    found = dict(model.named_parameters(remove_duplicate=False))
    return {name: found[name] for key, name in chosen.items() if key not in spared}


def _weights(model: nn.Module) -> Iterator[tuple[str, nn.Parameter, str]]:
    """Every parameter of every layer, with its kind."""
    for place, module in model.named_modules():
        for name, weight in module.named_parameters(recurse=False):
            kind = "other"
            if isinstance(module, LOOKED_UP):
                kind = "table"
            elif isinstance(module, DENSE + RECURRENT):
                kind = "bias" if name.startswith("bias") else "weight"
            yield f"{place}.{name}" if place else name, weight, kind


def zeros_of(count: int, amount: float) -> int:
    """How many of `count` weights an amount makes zero; `ConfigError` unless 0 <= amount < 1."""
    if not 0 <= amount < 1:
        raise ConfigError(
            f"amount is {amount}, and it is the share of weights to prune: give 0 to below 1"
        )
    return round(amount * count)


def global_l1(weights: Mapping[str, Tensor], amount: float) -> Masks:
    """Masks with exactly `round(amount x weights)` zeros where magnitudes are smallest.

    Errors: `CheckpointError` where a weight is NaN.
    """
    sizes = {name: weight.detach().abs() for name, weight in weights.items()}
    for name, size in sizes.items():
        if bool(size.isnan().any()):
            raise CheckpointError(f"{name} holds NaN, so it cannot be ranked; train it again")
    return without_smallest(sizes, zeros_of(sum(size.numel() for size in sizes.values()), amount))


def without_smallest(sizes: Mapping[str, Tensor], zeros: int) -> Masks:
    """Masks that are false at the `zeros` smallest values of all tensors together.

    Of values as small as the largest of these, the first in order of names and places go.
    """
    if zeros == 0:
        return {name: torch.ones_like(size, dtype=torch.bool) for name, size in sizes.items()}
    precise = reduce(torch.promote_types, (s.dtype for s in sizes.values()), torch.float32)
    sizes = {name: size.to(precise) for name, size in sizes.items()}
    threshold = torch.cat([size.reshape(-1) for size in sizes.values()]).kthvalue(zeros).values
    spare = zeros - sum(int((size < threshold).sum()) for size in sizes.values())
    masks = {}
    for name, size in sizes.items():
        ties = (size == threshold).reshape(-1).nonzero()[:, 0]
        mask = (size > threshold).contiguous()
        mask.view(-1)[ties[spare:]] = True
        masks[name] = mask
        spare = max(0, spare - len(ties))
    return masks


@torch.no_grad()
def apply_masks(weights: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> None:
    """Set every masked weight to zero, in place."""
    for name, mask in masks.items():
        weights[name].masked_fill_(~mask, 0)


def prune(
    model: nn.Module, amount: float, *, biases: bool = False, embeddings: bool = False
) -> Masks:
    """Prune a model in place, once and without training; see `prunable` and `global_l1`."""
    weights = prunable(model, biases=biases, embeddings=embeddings)
    if not weights:
        raise ConfigError(
            f"{type(model).__name__} has no linear, convolutional or recurrent layer with weights, "
            "so there is nothing to prune"
        )
    masks = global_l1(weights, amount)
    apply_masks(weights, masks)
    return masks


@dataclass(frozen=True, kw_only=True)
class Census:
    """Parameters of a model, and how many of them its masks make zero."""

    parameters: int
    prunable: int
    zeros: int  # by masks: weights that happen to be 0, such as fresh biases, are not counted

    @property
    def nonzeros(self) -> int:
        """Parameters that are not 0."""
        return self.parameters - self.zeros

    @property
    def ratio(self) -> float:
        """Non-zeros against all parameters: 0.66 in Dual Encoding++."""
        return self.nonzeros / self.parameters


def census(model: nn.Module, masks: Mapping[str, Tensor]) -> Census:
    """Count a pruned model; a weight that two layers share counts once."""
    return Census(
        parameters=sum(weight.numel() for weight in model.parameters()),
        prunable=sum(mask.numel() for mask in masks.values()),
        zeros=sum(mask.numel() - int(mask.sum()) for mask in masks.values()),
    )


def planned(
    model: nn.Module, amount: float, *, biases: bool = False, embeddings: bool = False
) -> Census:
    """The census that `prune` would give, from shapes alone: the model may be on meta."""
    weights = prunable(model, biases=biases, embeddings=embeddings).values()
    count = sum(weight.numel() for weight in weights)
    return Census(
        parameters=sum(weight.numel() for weight in model.parameters()),
        prunable=count,
        zeros=zeros_of(count, amount),
    )
