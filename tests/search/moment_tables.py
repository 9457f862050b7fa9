"""Small real tables of moments for the tests of queries."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from reeltune.search.store.dataset import Table
from reeltune.search.store.manifest import Manifest
from reeltune.search.store.schema import Moments, VideoFile, to_table

DIM = 8
MANIFEST = Manifest(model="m", fingerprint="f", dim=DIM, sampling="gap 2", segments="s")
DAY = 86_400 * 10**9  # ns
NEW_YEAR = 20_454 * DAY  # 2026-01-01


def unit(rng: np.random.Generator, *shape: int) -> np.ndarray:
    vectors = rng.standard_normal(shape)
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def moments(name: str, vectors: np.ndarray, dhash: np.ndarray | None = None) -> Moments:
    """A file whose windows of 8 s each overlap the next by half; hashes far apart if not given."""
    count = len(vectors)
    return Moments(
        file=VideoFile(
            path=f"{name}.mp4",
            location=f"/videos/{name}.mp4",
            size=1000 + len(name),
            modified_ns=NEW_YEAR,
            video=name,
        ),
        duration=4.0 * count + 4,
        width=640,
        height=480,
        note="",
        start=np.arange(count) * 4.0,
        end=np.arange(count) * 4.0 + 8,
        vector=vectors,
        dhash=np.arange(count) * 0x0F0F0F0F0F0F0F if dhash is None else dhash,
        thumbnail=[f"{name}{i}".encode() for i in range(count)],
        baseline_mean=np.zeros(count, np.float32),
        baseline_std=np.ones(count, np.float32),
    )


def shots(file: Moments) -> Moments:
    """`file` cut into shots that follow each other instead of windows."""
    return replace(file, end=file.start + 4)


def rows_of(*files: Moments) -> pa.Table:
    return pa.concat_tables([to_table(file, MANIFEST, 0) for file in files])


def table(folder: Path, *files: Moments) -> Table:
    return Table.create(folder / "t.lance", rows_of(*files))


def random_files(rng: np.random.Generator, files: int, most: int = 8) -> list[Moments]:
    """Files of few different vectors and hashes, so that ties and near-duplicates are common."""
    vectors, hashes = unit(rng, 6, DIM), rng.integers(-(2**63), 2**63, 3)
    made = []
    for number in range(files):
        count = int(rng.integers(1, most + 1))
        drawn = moments(
            f"v{number}",
            vectors[rng.integers(0, 6, count)],
            hashes[rng.integers(0, 3, count)],
        )
        made.append(drawn if rng.random() < 0.5 else shots(drawn))
    return made
