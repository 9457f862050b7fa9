"""Tensors with many zeros, read from one safetensors file that holds only the other values.

Of a tensor `x` the file holds one of these; which one stands in the file's metadata:

    x|dense                 all values
    x|bits  x|values        a bit for each value, 1 where it is not zero, and those values
    x|dense x|scales        int8 values, and a scale for each row: value = int8 * scale
    x|bits  x|values  x|scales
    nothing                 it is `same` as another tensor of the file, and shares its memory

Bits are little-endian within a byte. "Zero" is the bit pattern 0, so that -0.0 is a value.
`reeltune.compress.pack` writes such files.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from reeltune.errors import CheckpointError, in_short

FORMAT = "reeltune-packed-1"
SUFFIX = ".packed.safetensors"
NAMES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in vars(torch).values()
    if isinstance(dtype, torch.dtype)
}
WORDS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # by bytes of a value
MOST = 2**40  # values of one tensor: a header that asks for more is damaged


def packed_name(path: Path) -> Path:
    """`model.safetensors` is `model.packed.safetensors` when it is packed."""
    return path.with_name(path.name.removesuffix(".safetensors") + SUFFIX)


def read_packed(path: Path) -> dict[str, Tensor]:
    """Every tensor of a packed file, on the CPU, in its own dtype.

    Errors: `CheckpointError` for a file that is damaged, cut short or of another kind.
    """
    try:
        with safe_open(path, framework="pt") as file:
            plan = _plan(file.metadata())
            found = {
                name: _tensor(name, facts, file.get_tensor)
                for name, facts in plan.items()
                if "same" not in facts
            }
    except (OSError, SafetensorError, RuntimeError, ValueError, TypeError, KeyError) as error:
        raise CheckpointError(
            f"{path} cannot be read as packed tensors ({in_short(error)}); copy or pack it again"
        ) from error
    return {name: found[_origin(path, name, facts, found)] for name, facts in plan.items()}


def _plan(metadata: Mapping[str, str] | None) -> dict[str, dict[str, Any]]:
    """The metadata of each tensor."""
    kind = (metadata or {}).get("format")
    if metadata is None or kind != FORMAT:
        raise ValueError(f"its format is {kind!r}, wanted {FORMAT!r}")
    plan = json.loads(metadata["tensors"])
    if not isinstance(plan, dict) or not all(isinstance(facts, dict) for facts in plan.values()):
        raise ValueError("its list of tensors is damaged")
    return plan


def _origin(path: Path, name: str, facts: dict[str, Any], found: Mapping[str, Tensor]) -> str:
    origin = str(facts.get("same", name))
    if origin not in found:
        raise CheckpointError(
            f"{path}: {name} is the same as {origin}, which is not there; pack it again"
        )
    return origin


def _tensor(name: str, facts: dict[str, Any], get: Callable[[str], Tensor]) -> Tensor:
    """One tensor from its parts, every size checked before it is used."""
    dtype, shape = NAMES[facts["dtype"]], tuple(int(size) for size in facts["shape"])
    count = int(np.prod(shape, dtype=object)) if shape else 1
    if min(shape, default=0) < 0 or count > MOST:
        raise ValueError(f"{name} has shape {shape}")
    values = _spread(name, count, get) if facts["sparse"] else get(f"{name}|dense").reshape(-1)
    if values.numel() != count:
        raise ValueError(f"{name} has {values.numel()} values for shape {shape}")
    if facts["scaled"]:
        scales = get(f"{name}|scales")
        if len(shape) < 2 or scales.shape != shape[:1]:
            raise ValueError(f"{name} has scales {tuple(scales.shape)} for shape {shape}")
        values = values.reshape(shape[0], -1) * scales[:, None]
    return values.to(dtype).reshape(shape)


def _spread(name: str, count: int, get: Callable[[str], Tensor]) -> Tensor:
    """Packed values at their places, zeros elsewhere."""
    bits, values = get(f"{name}|bits"), get(f"{name}|values")
    if bits.dtype != torch.uint8 or bits.shape != (-(-count // 8),):
        raise ValueError(f"{name} has bits {tuple(bits.shape)} for {count} values")
    mask = np.unpackbits(bits.numpy(), count=count, bitorder="little").view(bool)
    marked = int(np.count_nonzero(mask))
    if values.shape != (marked,):
        raise ValueError(f"{name} has {values.numel()} values for {marked} set bits")
    word = WORDS[values.element_size()]
    spread = torch.zeros(count, dtype=word)
    spread.numpy()[mask] = values.view(word).numpy()  # bits are copied, so NaN stays as it is
    return spread.view(values.dtype)
