"""Synthetic moments in the layout of a library's table."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from reeltune.search.store.manifest import Manifest
from reeltune.search.store.schema import schema

PER_VIDEO, CHUNK = 20, 10_000


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


class World:
    """Moments and texts of the same concepts around two different means."""

    def __init__(self, rows: int, dim: int, seed: int = 0) -> None:
        self.rows, self.dim, self.rng = rows, dim, np.random.default_rng(seed)
        self.concepts = unit(self.rng.standard_normal((max(rows // 100, 2), dim)))
        self.pictures, self.texts = unit(self.rng.standard_normal((2, dim)))

    def around(self, mean: np.ndarray, count: int, spread: float) -> np.ndarray:
        """Concepts drawn at random with noise; the mean makes a cone of them."""
        drawn = self.concepts[self.rng.integers(0, len(self.concepts), count)]
        noise = unit(self.rng.standard_normal((count, self.dim)))
        return unit(mean + drawn + spread * noise)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Rows of the library's table; the id is the row's number."""
        layout = schema(manifest(self.dim))
        for start in range(0, self.rows, CHUNK):
            numbers = np.arange(start, min(start + CHUNK, self.rows))
            yield pa.RecordBatch.from_arrays(columns(self, numbers, layout), schema=layout)


def manifest(dim: int) -> Manifest:
    return Manifest(model="m", fingerprint="f", dim=dim, sampling="s", segments="s")


def columns(world: World, numbers: np.ndarray, layout: pa.Schema) -> list[pa.Array]:
    """All columns of some rows: `PER_VIDEO` overlapping windows a file."""
    part, video = numbers % PER_VIDEO, numbers // PER_VIDEO
    files = [f"{number:08x}" for number in video]
    second = 1_000_000 * (1_700_000_000 + 7 * video)  # us since 1970
    vectors = world.around(world.pictures, len(numbers), spread=0.7)
    made = {
        "id": [f"{number:012d}" for number in numbers],
        **dict.fromkeys(("video", "unit", "location"), files),
        "path": [f"{name}.mp4" for name in files],
        "part": part,
        "start": part * 4.0,
        "end": part * 4.0 + 8,
        "duration": 84.0 + video % 97 / 25,
        "modified": second,
        "taken": pa.array(second - 60_000_000, mask=video % 3 == 0),
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), world.dim),
        "dhash": world.rng.integers(-(2**63), 2**63, len(numbers)),
        "thumbnail": [b"jpeg"] * len(numbers),
        "note": [""] * len(numbers),
        "baseline_std": np.ones(len(numbers), np.float32),
    }
    rest = np.full(len(numbers), 84)
    arrays = []
    for field in layout:
        column = made.get(field.name, rest)
        wanted = pa.int64() if pa.types.is_timestamp(field.type) else field.type
        ready = (column if isinstance(column, pa.Array) else pa.array(column)).cast(wanted)
        arrays.append(ready.cast(field.type))
    return arrays
