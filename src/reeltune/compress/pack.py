"""Stores a state dict compactly, as a bitmap of what is not zero and those values alone.

At a share d of non-zeros a tensor of n float32 values takes n/8 + 4dn bytes instead of 4n, which
pays below d = 31/32; with bfloat16 values n/8 + 2dn. Each tensor is stored the smaller way.
`reeltune.nn.packed` describes the format and reads it.
"""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from reeltune.errors import CheckpointError
from reeltune.nn.packed import FORMAT, NAMES, WORDS
from reeltune.storage.tensors import write_tensors

Values = Literal["float32", "bfloat16", "int8"]
Facts = dict[str, object]
LEVELS = 127  # of int8 on either side of zero


def pack(
    path: Path,
    tensors: Mapping[str, Tensor],
    values: Values = "float32",
    whole: Collection[str] = (),
) -> int:
    """Write a packed file, under a temporary name first, and return its size in bytes.

    `values` is the precision that float32 tensors are stored in; `float32` loads bit for bit.
    `int8` is for matrices alone, with a scale for each row. Tensors named in `whole`, such as the
    statistics of a batch norm, and those with an infinity or NaN keep all their bits. Tensors
    that share all their memory are stored once.
    """
    parts, plan = dict[str, Tensor](), dict[str, Facts]()
    owners: dict[object, str] = {}
    for name, tensor in tensors.items():
        owner = owners.setdefault(_place(name, tensor), name)
        if owner != name:
            plan[name] = {"same": owner}
            continue
        kept, plan[name] = _parts(tensor.detach().cpu(), "float32" if name in whole else values)
        parts.update({f"{name}|{part}": value for part, value in kept.items()})
    write_tensors(path, parts, {"format": FORMAT, "tensors": json.dumps(plan)})
    return path.stat().st_size


def _place(name: str, tensor: Tensor) -> object:
    """A key that is equal for tensors with the same memory; empty ones have none."""
    if tensor.is_meta:
        raise CheckpointError(f"{name} is on the meta device and has no values; load them first")
    if tensor.numel() == 0:
        return name
    return tensor.device, tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride()


def _parts(tensor: Tensor, values: Values) -> tuple[dict[str, Tensor], Facts]:
    """The stored parts of one tensor, and its metadata."""
    flat, scales = _rounded(tensor, values)
    facts: Facts = {
        "dtype": str(tensor.dtype).removeprefix("torch."),
        "shape": list(tensor.shape),
        "sparse": False,
        "scaled": scales is not None,
    }
    kept = {} if scales is None else {"scales": scales}
    if flat.element_size() not in WORDS or facts["dtype"] not in NAMES:
        return {"dense": flat, **kept}, facts  # complex128: no word is as long
    words = flat.view(WORDS[flat.element_size()]).numpy()
    mask = words != 0
    stored = int(np.count_nonzero(mask)) * words.itemsize + -(-mask.size // 8)
    if stored >= words.nbytes:
        return {"dense": flat, **kept}, facts
    bits = torch.from_numpy(np.packbits(mask, bitorder="little"))
    picked = torch.from_numpy(words[mask]).view(flat.dtype)
    return {"bits": bits, "values": picked, **kept}, facts | {"sparse": True}


def _rounded(tensor: Tensor, values: Values) -> tuple[Tensor, Tensor | None]:
    """The values, flat, in the precision in which they are stored; for int8 with a scale for
    each row."""
    flat = tensor.contiguous().reshape(-1)
    exact = values == "float32" or tensor.dtype != torch.float32
    if exact or not bool(tensor.isfinite().all()):
        return flat, None
    if values == "bfloat16":
        return flat.to(torch.bfloat16), None
    if tensor.ndim < 2 or tensor.numel() == 0:
        return flat, None
    rows = tensor.reshape(len(tensor), -1)
    scales = rows.abs().amax(dim=1) / LEVELS  # (rows,)
    steps = rows / scales.clamp_min(torch.finfo(torch.float32).tiny)[:, None]
    return steps.round().clamp(-LEVELS, LEVELS).to(torch.int8).reshape(-1), scales
