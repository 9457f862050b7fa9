"""Linear layers in int8 for any CPU: weights of 7 bits, and inputs of 8 with a range for each row.

Processors without VNNI add pairs of products in 16 bits, which two factors of 8 bits overflow. With
one of 7 bits the product is exact on all of them, so that all make the same numbers but for the
rounding of floats. Ranges of rows, and not of whole tensors, keep each row apart from the others,
and one large number from making all others small. For inference alone: no gradient passes.

The layers of `int8.py` are others: weights keep 8 bits there, in files that `prune` writes.
"""

import copy
from functools import cache
from typing import Any, TypeVar

import torch
from jaxtyping import Float, Int8, UInt8
from torch import Tensor, nn

WEIGHTS = 64  # levels of a weight on either side of zero
INPUTS = 255  # levels of an input above the least of its row
SMALLEST = 1e-30  # range of a row, or of the weights of an output
Network = TypeVar("Network", bound=nn.Module)


class NarrowInt8Linear(nn.Module):
    """A linear layer, computed in int8 precision."""

    scales: Tensor
    sums: Tensor
    bias: Tensor | None

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        weight = layer.weight.detach()
        scales = weight.abs().amax(dim=1).clamp_min_(SMALLEST).div_(WEIGHTS)
        rounded = (weight / scales[:, None]).round_().to(torch.int8)
        self.register_buffer("scales", scales)
        self.register_buffer("sums", rounded.sum(dim=1).mul(scales))
        bias = None if layer.bias is None else layer.bias.detach().clone()
        self.register_buffer("bias", bias)
        self._hold(rounded)

    def _hold(self, rounded: Int8[Tensor, "O I"]) -> None:
        """Keep the weight as the product wants it."""
        packs = rounded.device.type == "cpu" and multiplies_exactly()
        self.packed = _packed(rounded) if packs else None
        self.register_buffer("dense", None if packs else rounded)

    @property
    def rounded(self) -> Int8[Tensor, "O I"]:
        """The weight, over its scales."""
        return self.get_buffer("dense") if self.packed is None else self.packed.to_dense().t()

    def forward(self, x: Float[Tensor, "*B I"]) -> Float[Tensor, "*B O"]:
        """What the linear layer gives, but for rounding."""
        rows = x.detach().reshape(-1, x.shape[-1])
        if len(rows) == 0:
            return x.new_zeros(*x.shape[:-1], len(self.scales))
        least = rows.amin(dim=1, keepdim=True)
        span = rows.amax(dim=1, keepdim=True).sub_(least).clamp_min_(SMALLEST)
        levels = (rows - least).mul_(INPUTS / span).sub_(128).round_()
        inputs = levels.to(torch.int8).view(torch.uint8).bitwise_xor_(128)  # as + 128, and quick
        if self.packed is not None:
            out = _product(inputs, self.packed, self.scales)
        else:
            out = inputs.float() @ self.rounded.float().t() * self.scales
        out.mul_(span.div_(INPUTS)).addcmul_(least, self.sums)
        if self.bias is not None:
            out.add_(self.bias)
        return out.reshape(*x.shape[:-1], out.shape[1])

    def __getstate__(self) -> dict[str, Any]:
        """For copies: what is packed has no bytes that could be read."""
        return self.__dict__ | {"packed": None, "weight": self.rounded}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Packs the weight again."""
        rounded = state.pop("weight")
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._hold(rounded)


def with_narrow_int8(network: Network) -> Network:
    """A copy whose linear layers are in int8 precision, but for those of classes derived from
    them, which may compute otherwise."""
    made: dict[int, Any] = {
        id(layer): NarrowInt8Linear(layer)
        for layer in network.modules()
        if type(layer) is nn.Linear
    }
    return copy.deepcopy(network, made)


@cache
def multiplies_exactly() -> bool:
    """Whether oneDNN has this product here, and its sums are right where they are the largest."""
    inputs = torch.full((4, 64), INPUTS, dtype=torch.uint8)
    weight = torch.full((8, 64), WEIGHTS, dtype=torch.int8)
    weight[::2] = -WEIGHTS
    inputs[1], inputs[2, ::2] = 0, 1
    try:
        found = _product(inputs, _packed(weight), torch.ones(8))
    except (AttributeError, NotImplementedError, RuntimeError):  # built without it
        return False
    return torch.equal(found, inputs.float() @ weight.float().t())


def _packed(rounded: Int8[Tensor, "O I"]) -> Tensor:
    """In oneDNN's own layout."""
    packed: Tensor = torch.ops.onednn.qlinear_prepack(rounded.contiguous(), None)
    return packed


def _product(
    inputs: UInt8[Tensor, "R I"], packed: Tensor, scales: Float[Tensor, " O"]
) -> Float[Tensor, "R O"]:
    """Exact in int32, then times the scale of each output."""
    zeros = torch.zeros(len(scales), dtype=torch.int64)
    # inputs, their scale and zero; weights, theirs; no bias; scale, zero and type of the output
    made: Tensor = torch.ops.onednn.qlinear_pointwise(
        inputs, 1.0, 0, packed, scales, zeros, None, 1.0, 0, torch.float32, "none", [], ""
    )
    return made
