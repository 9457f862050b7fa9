"""How long does a query take beside numpy, faiss and LanceDB, and do indices find the same?

    python benchmarks/bench_query.py --rows 100000
    python benchmarks/bench_query.py --rows 1000000 --queries 30 --skip lancedb

Moments are clustered unit vectors around one mean, queries lie around another, as texts do beside
pictures in a model of both. All systems answer each query in turn, so that noise of the machine
falls on all; recall is against exact search. `answer` is everything that a search does but for
encoding the text: scores, ties, grouping per video, folding, confidence. The indices of faiss have
as many cells as ours and look into as many (IVF), or 32 neighbours, of which 128 are kept (HNSW).
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import faiss
import lance
import lancedb
import numpy as np
import pyarrow as pa

from _line import emit
from _moments import World, manifest
from reeltune.search._confidence import confidence
from reeltune.search.query import Ask, answer
from reeltune.search.store.dataset import Table
from reeltune.search.store.gallery import Gallery
from reeltune.search.store.nearest import CELL, Index, build_index
from reeltune.search.store.schema import schema

QUICK = ["--rows", "20000", "--queries", "30"]
RUNS = [[], ["--rows", "1000000", "--queries", "30", "--skip", "lancedb"]]
FIGURES = {
    "ratio_to_numpy/*": ("lower", "beside numpy's exact scores, median time"),
    "systems/*/R@10": ("higher", "recall at 10 beside exact search"),
}

K = 10
Search = Callable[[np.ndarray], list[int]]  # query -> rows, best first; ids are the rows' numbers


def systems(dataset: Table, vectors: np.ndarray, skip: str) -> dict[str, Search]:
    """Everything that is compared; the first is the truth."""
    gallery = Gallery.read(dataset)
    chance = partial(confidence, usual=gallery.usual, kind="text")
    made: dict[str, Search] = {
        "numpy": lambda query: by_numpy(vectors, query),
        "answer": lambda query: [int(hit.id) for hit in answer(gallery, query, Ask(k=K), chance)],
        "rank": lambda query: [int(one) for one in gallery.rank(query).best(K).id[:K]],
    }
    if "faiss" not in skip:
        cells = Index.of(dataset).cells
        made |= {name: partial(by_faiss, index) for name, index in of_faiss(vectors, cells).items()}
    if "lancedb" not in skip:
        table = lancedb.connect(str(Path(dataset.uri).parent / "theirs")).open_table("moments")
        made["lancedb_exact"] = lambda query: by_lancedb(table, query, exact=True)
        made["lancedb_hnsw_sq"] = lambda query: by_lancedb(table, query, exact=False)
    if "index" not in skip:
        disk = Gallery(dataset, ann_rows=0)
        made["rank_by_index"] = lambda query: [
            int(one) for one in disk.rank(query).best(256).id[:K]
        ]
        made["answer_by_index"] = lambda query: [
            int(hit.id) for hit in answer(disk, query, chance=chance)
        ]
    return made


def of_faiss(vectors: np.ndarray, looked_into: int) -> dict[str, faiss.Index]:
    """Exact search, cells and a graph."""
    rows, dim = vectors.shape
    flat, kind = faiss.IndexFlatIP(dim), faiss.METRIC_INNER_PRODUCT
    cells = faiss.IndexIVFFlat(faiss.IndexFlatIP(dim), dim, max(1, rows // CELL), kind)
    cells.nprobe = looked_into
    graph = faiss.IndexHNSWFlat(dim, 32, kind)
    graph.hnsw.efSearch = 128
    cells.train(vectors)
    made = {"faiss": flat, "faiss_ivf": cells, "faiss_hnsw": graph}
    for index in made.values():
        index.add(vectors)
    return made


def by_faiss(index: faiss.Index, query: np.ndarray) -> list[int]:
    return index.search(query[None], K)[1][0].tolist()


def lancedb_copy(dataset: Table, folder: Path) -> float:
    """Copy the rows to a table of LanceDB with its HNSW index; return the seconds of building
    it."""
    rows = dataset.to_table(columns=["id", "vector"])
    table = lancedb.connect(str(folder)).create_table("moments", rows)
    start = time.perf_counter()
    table.create_index(metric="dot", vector_column_name="vector", index_type="IVF_HNSW_SQ")
    return round(time.perf_counter() - start, 1)


def by_numpy(vectors: np.ndarray, query: np.ndarray) -> list[int]:
    scores = vectors @ query
    rows = np.argpartition(scores, -K)[-K:]
    return rows[np.argsort(-scores[rows])].tolist()


def by_lancedb(table: lancedb.table.Table, query: np.ndarray, exact: bool) -> list[int]:
    search = table.search(query).metric("dot").select(["id", "_distance"]).limit(K)
    rows = (search.bypass_vector_index() if exact else search).to_arrow()
    return [int(one) for one in rows["id"].to_pylist()]


def measure(made: dict[str, Search], queries: np.ndarray) -> dict[str, dict[str, float]]:
    """Milliseconds at the median and the 99th percentile, and recall at 10."""
    times: dict[str, list[float]] = {name: [] for name in made}
    hits: dict[str, list[float]] = {name: [] for name in made}
    for number, query in enumerate(queries):
        truth = set(made["numpy"](query))
        for name, search in made.items():
            start = time.perf_counter()
            found = search(query)
            if number >= 3:  # the first ones read files and start threads
                times[name].append(1000 * (time.perf_counter() - start))
                hits[name].append(len(truth & set(found)) / K)
    return {
        name: {
            "p50_ms": round(float(np.median(times[name])), 2),
            "p99_ms": round(float(np.percentile(times[name], 99)), 2),
            "R@10": round(float(np.mean(hits[name])), 4),
        }
        for name in made
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--skip", nargs="*", default=[], choices=["index", "faiss", "lancedb"])
    chosen = parser.parse_args()
    world = World(chosen.rows, chosen.dim)
    with TemporaryDirectory() as folder:
        rows = pa.RecordBatchReader.from_batches(schema(manifest(world.dim)), world.batches())
        dataset = Table(lance.write_dataset(rows, f"{folder}/moments.lance"))
        figures: dict[str, object] = {}
        if "index" not in chosen.skip:
            start = time.perf_counter()
            build_index(dataset)
            figures["build_index_s"] = round(time.perf_counter() - start, 1)
        if "lancedb" not in chosen.skip:
            figures["lancedb_build_index_s"] = lancedb_copy(dataset, Path(folder) / "theirs")
        start = time.perf_counter()
        Gallery.read(Table(lance.dataset(dataset.uri)))
        figures["open_s"] = round(time.perf_counter() - start, 2)
        vectors = dataset.to_table(columns=["vector"])["vector"].combine_chunks()
        matrix = vectors.flatten().to_numpy().reshape(-1, world.dim)
        queries = world.around(world.texts, chosen.queries + 3, spread=0.3)
        measured = measure(systems(dataset, matrix, chosen.skip), queries)
        figures |= {"rows": world.rows, "dim": world.dim, "systems": measured}
        bare = measured["numpy"]["p50_ms"]
        figures["ratio_to_numpy"] = {
            name: round(row["p50_ms"] / bare, 2) for name, row in measured.items()
        }
        emit("How long does a query take, and does the index find the same?", **figures)


if __name__ == "__main__":
    main()
