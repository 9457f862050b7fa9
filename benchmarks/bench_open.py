"""How long does a large library take to open, and how much memory does that take?

    python benchmarks/bench_open.py --rows 1000000

A synthetic table is opened by a process of its own, whose peak of memory is compared with that of
the same process before it opened anything, and with the size of the vectors alone.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import lance
import numpy as np
import pyarrow as pa

from _line import emit
from _memory import memory
from _moments import CHUNK, World, columns, manifest
from reeltune.search.query import answer
from reeltune.search.store.dataset import Table
from reeltune.search.store.gallery import Gallery
from reeltune.search.store.schema import schema

QUICK = ["--rows", "100000"]
FIGURES = {
    "ratio_to_vectors": ("lower", "beside the vectors alone, memory of an open library"),
    "answered_ratio_to_vectors": ("lower", "beside the vectors alone, memory after an answer"),
}

PER_FILE = 100_000  # rows
THUMBNAIL = 1000  # bytes


def batches(rows: int, dim: int) -> Iterator[pa.RecordBatch]:
    """Rows of the library's table, with thumbnails of about the usual size."""
    layout, world = schema(manifest(dim)), World(1000, dim)
    picture = pa.array([world.rng.bytes(THUMBNAIL) for _ in range(CHUNK)], pa.binary())
    place = layout.get_field_index("thumbnail")
    for start in range(0, rows, CHUNK):
        made = columns(world, np.arange(start, min(start + CHUNK, rows)), layout)
        made[place] = picture[: len(made[0])]
        yield pa.RecordBatch.from_arrays(made, schema=layout)


def opened(uri: str) -> dict[str, float]:
    """Open the table in this process, and answer one query."""
    before, start = memory("VmHWM"), time.perf_counter()
    table = Table(lance.dataset(uri))
    gallery = Gallery.read(table)
    seconds, most = time.perf_counter() - start, memory("VmHWM") - before
    query = np.zeros(table.schema.field("vector").type.list_size, np.float32)
    query[0] = 1
    start = time.perf_counter()
    answer(gallery, query)
    return {
        "open_s": round(seconds, 2),
        "open_bytes": most,
        "first_answer_s": round(time.perf_counter() - start, 2),
        "answered_bytes": memory("VmHWM") - before,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=768, help="768 is that of lite")
    parser.add_argument("--table", help="open this one instead of a new one")
    chosen = parser.parse_args()
    if chosen.table:
        print(json.dumps(opened(chosen.table)))
        return
    with TemporaryDirectory() as folder:
        uri = str(Path(folder, "moments.lance"))
        rows = pa.RecordBatchReader.from_batches(
            schema(manifest(chosen.dim)), batches(chosen.rows, chosen.dim)
        )
        lance.write_dataset(rows, uri, max_rows_per_file=PER_FILE)
        command = [sys.executable, __file__, "--table", uri]
        runs = [json.loads(subprocess.check_output(command)) for _ in range(3)]
    best = min(runs, key=lambda run: run["open_s"])
    vectors = 4 * chosen.rows * chosen.dim
    emit(
        "How long does a large library take to open, and how much memory does that take?",
        rows=chosen.rows,
        dim=chosen.dim,
        **best,
        vector_bytes=vectors,
        ratio_to_vectors=round(best["open_bytes"] / vectors, 2),
        answered_ratio_to_vectors=round(best["answered_bytes"] / vectors, 2),
    )


if __name__ == "__main__":
    main()
