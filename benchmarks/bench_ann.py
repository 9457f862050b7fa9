"""What do the index of ten million moments and an answer through it cost, and is the best found?

    python benchmarks/bench_ann.py
    python benchmarks/bench_ann.py --rows 1000000

The moments and queries are those of bench_query.py: unit vectors of 512 numbers in clusters, and
texts around a mean of their own. Each query is answered as a search is, without encoding its text,
and recall is against the inner products with all vectors. Ten million take 40 GB of disk, and the
vectors no more memory than the system has to spare, as they stay in the files of the table.
"""

import argparse
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import lance
import numpy as np
import pyarrow as pa

from _line import emit
from _memory import memory
from _moments import World, manifest
from reeltune.search._confidence import confidence
from reeltune.search.query import Ask, answer
from reeltune.search.store import nearest
from reeltune.search.store.dataset import Table
from reeltune.search.store.gallery import Gallery
from reeltune.search.store.schema import schema

QUICK = ["--rows", "100000", "--queries", "30"]
FIGURES = {
    "R@10": ("higher", "recall at 10 beside exact search"),
    "index_ratio_to_vectors": ("lower", "beside the vectors, the index on disk"),
}

K, BATCH = 10, 65_536


def truth(dataset: lance.LanceDataset, queries: np.ndarray) -> list[set[int]]:
    """The rows of the best inner products with each query, in one pass over the table."""
    best: list[list[tuple[float, int]]] = [[] for _ in queries]
    start = 0
    for batch in dataset.to_batches(columns=["vector"], batch_size=BATCH):
        flat = batch["vector"].flatten().to_numpy(zero_copy_only=False)
        scores = queries @ flat.reshape(-1, queries.shape[1]).T  # (Q, rows of the batch)
        for query, row in enumerate(scores):
            top = np.argpartition(row, -K)[-K:] if len(row) > K else np.arange(len(row))
            both = [*best[query], *((float(row[one]), start + int(one)) for one in top)]
            best[query] = sorted(both)[-K:]
        start += batch.num_rows
    return [{row for _, row in one} for one in best]


def asked(gallery: Gallery, queries: np.ndarray, expected: list[set[int]]) -> dict[str, float]:
    """Milliseconds of an answer, and recall at 10."""
    chance = partial(confidence, usual=gallery.usual, kind="text")
    times, hits = [], []
    for query, rows in zip(queries, expected, strict=True):
        start = time.perf_counter()
        found = answer(gallery, query, Ask(k=K), chance)
        times.append(1000 * (time.perf_counter() - start))
        hits.append(len(rows & {int(hit.id) for hit in found}) / K)
    return {
        "first_ms": round(times[0], 1),
        "p50_ms": round(float(np.median(times[3:])), 1),
        "p99_ms": round(float(np.percentile(times[3:], 99)), 1),
        "R@10": round(float(np.mean(hits)), 4),
    }


def bytes_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--queries", type=int, default=100)
    chosen = parser.parse_args()
    world = World(chosen.rows, chosen.dim)
    figures: dict[str, object] = {"rows": world.rows, "dim": world.dim}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "moments.lance"
        start = time.perf_counter()
        rows = pa.RecordBatchReader.from_batches(schema(manifest(world.dim)), world.batches())
        lance.write_dataset(rows, str(path), data_storage_version="stable")
        figures["make_and_write_s"] = round(time.perf_counter() - start)
        written = bytes_of(path)
        start = time.perf_counter()
        nearest.build_index(Table(lance.dataset(str(path))))
        figures["build_index_s"] = round(time.perf_counter() - start)
        index = bytes_of(path) - written
        figures |= {"table_gb": round(written / 1e9, 2), "index_gb": round(index / 1e9, 2)}
        figures["index_ratio_to_vectors"] = round(index / (4 * world.dim * world.rows), 3)
        queries = world.around(world.texts, chosen.queries + 3, spread=0.3)
        expected = truth(lance.dataset(str(path)), queries)
        before, start = memory("RssAnon"), time.perf_counter()
        gallery = Gallery(Table(lance.dataset(str(path))), ann_rows=0)
        figures["open_s"] = round(time.perf_counter() - start, 2)
        figures |= asked(gallery, queries, expected)
        figures["memory_gb"] = round((memory("RssAnon") - before) / 1e9, 2)
    emit("How long is the index of many moments built, and what is found through it?", **figures)


if __name__ == "__main__":
    main()
