"""Arrays as .npy files, written so that a full disk is an error like any other.

numpy would write them by a map of the file, where a full disk kills the process, or by calls of C,
whose errors name neither the reason nor the file.
"""

from pathlib import Path

import numpy as np
from numpy.lib.format import header_data_from_array_1_0, write_array_header_1_0
from numpy.typing import DTypeLike

from reeltune.storage.outputs import naming

PART = 1 << 20  # bytes, about, that are written at once


def write_array(path: Path, array: np.ndarray, dtype: DTypeLike) -> None:
    """Write an array of one dimension or more as numbers of a kind; raises OSError, with the path,
    where that cannot be done."""
    header = header_data_from_array_1_0(np.empty((0, *array.shape[1:]), dtype))
    rows = max(1, PART // max(1, np.dtype(dtype).itemsize * array[:1].size))
    with naming(path), path.open("wb") as file:
        write_array_header_1_0(file, header | {"shape": array.shape})
        for start in range(0, len(array), rows):
            file.write(np.ascontiguousarray(array[start : start + rows], dtype).data)
