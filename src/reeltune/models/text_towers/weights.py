"""Some tensors of a safetensors file as float32 arrays; long tables are read row by row."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32
from safetensors import safe_open

from reeltune.models.text_towers.layers import Weights

FLOATS = ("F32", "F16")  # of which numpy knows all; bfloat16 is none of them


class Stored:
    """A file of weights, which stays mapped; raises ValueError for tensors of other kinds than
    `FLOATS`, and what safetensors does for a file that it cannot read."""

    def __init__(self, path: Path) -> None:
        self._file: Any = safe_open(path, framework="numpy")
        self._tables: dict[str, Any] = {}

    def all(self, begins: str) -> Weights:
        """The tensors whose names begin so."""
        names = [name for name in self._file.keys() if name.startswith(begins)]  # noqa: SIM118
        return {name: self.one(name) for name in names}

    def one(self, name: str) -> Float32[np.ndarray, "..."]:
        """One tensor."""
        return np.asarray(self._table(name)[:], np.float32)

    def rows(self, name: str, numbers: Sequence[int]) -> Float32[np.ndarray, "L W"]:
        """Some rows of a table, whose other rows are not read."""
        table = self._table(name)
        return np.concatenate([np.asarray(table[at : at + 1], np.float32) for at in numbers])

    def _table(self, name: str) -> Any:
        if name not in self._tables:
            table = self._file.get_slice(name)
            if table.get_dtype() not in FLOATS:
                raise ValueError(f"{name} is {table.get_dtype()}, wanted {' or '.join(FLOATS)}")
            self._tables[name] = table
        return self._tables[name]
