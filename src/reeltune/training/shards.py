"""Weights that several processes share out (FSDP2), for models whose every weight is trained.

Each process holds a part of each weight, of its gradient and of what the optimizer remembers of it.
A layer's weights are gathered when it is computed, and its gradient is averaged as it is shared out
again. What lies outside of the layers stays whole in every process.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from reeltune.errors import ConfigError
from reeltune.ranks.ranks import everyone


@runtime_checkable
class Shardable(Protocol):
    """A model that names the layers whose weights may be shared out."""

    def layers(self) -> list[list[nn.Module]]:
        """Stacks of layers that are called one after another, each as a module."""
        ...


def shard(model: nn.Module) -> None:
    """Share out the weights of the layers of a model; each process must have the same weights.

    Errors: `ConfigError` for a model that names none, and where there is a single process.
    """
    ranks = everyone()
    if ranks.world == 1:
        raise ConfigError(
            "training.shard shares weights out among processes, and there is one; start several "
            "by torchrun, or leave it out"
        )
    if not isinstance(model, Shardable) or not model.layers():
        raise ConfigError(
            f"training.shard is true, and the layers of {type(model).__name__} cannot be shared "
            "out; train all weights of a CLIP (component tuned, config.method=full), or leave it "
            "out"
        )
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(next(model.parameters()).device.type, (ranks.world,))
    for stack in model.layers():
        for layer in stack:
            fully_shard(layer, mesh=mesh)


def unshard(model: nn.Module) -> None:
    """Give every process whole weights again, for good."""
    from torch.distributed.fsdp import FSDPModule

    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.set_reshard_after_forward(False)
            module.unshard()


def is_part(tensor: Tensor) -> bool:
    """Whether other processes hold parts of a tensor."""
    return hasattr(tensor, "full_tensor")


def whole(tensor: Tensor) -> Tensor:
    """A tensor with the parts of all processes; all must ask."""
    found: Tensor = tensor.full_tensor() if is_part(tensor) else tensor  # type: ignore[attr-defined]
    return found


def like(tensor: Tensor, weight: Tensor) -> Tensor:
    """A whole tensor shared out as a weight is."""
    if not is_part(weight) or tensor.shape != weight.shape:
        return tensor
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not isinstance(weight, DTensor) or isinstance(tensor, DTensor):
        return tensor
    return distribute_tensor(
        tensor.to(weight.device), weight.device_mesh, weight.placements, src_data_rank=None
    )


def clip(weights: Iterable[Tensor], limit: float) -> Tensor:
    """As torch's `clip_grad_norm_`, of weights of which some are shared out; the norm of all."""
    found = list(weights)
    if not any(map(is_part, found)):
        return nn.utils.clip_grad_norm_(found, limit)
    gradients = [weight.grad for weight in found if weight.grad is not None]
    norms = [whole(torch.linalg.vector_norm(gradient)) for gradient in gradients]
    norm = torch.linalg.vector_norm(torch.stack(norms))
    if norm.isfinite() and norm > limit:
        for gradient in gradients:
            gradient.mul_(limit / (float(norm) + 1e-6))
    return norm


def wholes(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Whole tensors by name."""
    return {name: whole(tensor) for name, tensor in tensors.items()}
