"""How many bits of each number must the index keep, so that it names the best moments?

    python benchmarks/bench_codes.py

Moments lie in a cone, and texts in another one far from it, as in CLIP: cosines of two pictures are
0.5 in the mean, and those of a text with pictures 0.2. Beside their cone, number i of a vector is
normal with a deviation of i^-fall, along axes drawn at random. Recall is the share of the ten best
inner products that are among 64 which the index names, at once or after it has scored `refine`
times as many by whole vectors. All cells are looked into, so that bits alone decide; times are
those of the processor.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import lance
import numpy as np
import pyarrow as pa

from _line import emit
from _moments import unit
from reeltune.search.store import nearest
from reeltune.search.store.dataset import Table

QUICK = ["--rows", "10000", "--bits", "1", "3"]
FIGURES = {
    "R@10": ("higher", "recall at 10 among the 64 that the index names"),
    "index_mb": ("lower", "MB of the index"),
}

K, NAMED, DIM = 10, 64, 512
FALLS = (0.25, 0.5, 1.0)
REFINE = (None, 2, 4)


def cones(fall: float, rows: int, queries: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of moments and of texts."""
    source = np.random.default_rng(0)
    axes = np.linalg.qr(source.standard_normal((DIM, DIM)))[0]
    scale = np.arange(1, DIM + 1) ** -fall

    def around(mean: np.ndarray, count: int, share: float) -> np.ndarray:
        drawn = (source.standard_normal((count, DIM)) * scale).astype(np.float32)
        return unit(mean + share * unit(drawn @ axes.astype(np.float32)))

    pictures = unit(source.standard_normal(DIM))
    texts = unit(0.4 * pictures + unit(source.standard_normal(DIM)))
    return around(pictures, rows, 1.0), around(texts, queries, 0.8)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=60)
    parser.add_argument("--bits", type=int, nargs="+", default=[1, 2, 3, 5])
    chosen = parser.parse_args()
    for fall in FALLS:
        moments, texts = cones(fall, chosen.rows, chosen.queries)
        for bits in chosen.bits:
            with TemporaryDirectory() as folder:
                measure(Path(folder), moments, texts, fall, bits)


def measure(folder: Path, moments: np.ndarray, texts: np.ndarray, fall: float, bits: int) -> None:
    flat = pa.FixedSizeListArray.from_arrays(pa.array(moments.ravel()), DIM)
    rows = pa.table({"row": np.arange(len(moments)), "vector": flat})
    table = Table(lance.write_dataset(rows, folder / "t.lance", data_storage_version="stable"))
    with patch.object(nearest, "BITS", bits):
        start = time.process_time()
        nearest.build_index(table)
        built = time.process_time() - start
    truth = np.argsort(-(texts @ moments.T), axis=1)[:, :K]
    every = len(moments) // nearest.CELL + 1
    files = [file for file in (folder / "t.lance" / "_indices").rglob("*") if file.is_file()]
    for refine in REFINE:
        index = nearest.Index("l2", every, refine)
        asked = [index.nearest(NAMED, text, None) for text in texts]
        start = time.process_time()
        named = [table.to_table(columns=["row"], nearest=one)["row"].to_numpy() for one in asked]
        taken = time.process_time() - start
        hits = [np.isin(best, some).mean() for best, some in zip(truth, named, strict=True)]
        emit(
            f"codes of {bits} bits, fall {fall}, of {refine or 1} times 64",
            bits=bits,
            fall=fall,
            refine=refine,
            **{"R@10": round(float(np.mean(hits)), 3)},
            processor_ms=round(1000 * taken / len(texts), 1),
            build_processor_s=round(built, 1),
            index_mb=round(sum(file.stat().st_size for file in files) / 1e6, 1),
        )


if __name__ == "__main__":
    main()
