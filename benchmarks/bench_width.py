"""How many of the nearest moments do cut vectors find, and how much room do they take?

    python benchmarks/bench_width.py
    python benchmarks/bench_width.py --library holidays --texts queries.txt

Recall is the share of the ten moments nearest to a query by whole vectors that are among the ten
nearest by cut ones. A library must have whole vectors of a model that may be cut; each line of the
file of texts is a query. Moments are cut after their frames were pooled, where `--width` cuts each
frame.

Without a library, vectors are drawn, not those of any model: number i of a moment is normal with
variance i^-fall, and a query is its moment with as much noise again of the same spectrum. Training
for several widths makes a spectrum that falls; `fall` 0, where all numbers weigh the same, stands
for a model that was not trained for it. The first widths of EmbeddingGemma 2 are taken.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from _line import emit
from reeltune import Library
from reeltune.errors import ConfigError
from reeltune.types import Matryoshka

QUICK = ["--rows", "20000", "--queries", "50"]
FIGURES = {
    "recall_at_10": ("higher", "of the ten nearest moments by cut vectors"),
}

K = 10
WIDTHS = (768, 512, 256, 128)
FALLS = (0.0, 0.5, 1.0, 1.5)


def drawn(fall: float, rows: int, queries: int) -> tuple[np.ndarray, np.ndarray]:
    """Moments and queries with a known spectrum, as float32 of length 1."""
    source = np.random.default_rng(0)
    scale = np.arange(1, WIDTHS[0] + 1, dtype=np.float32) ** (-fall / 2)
    moments = source.standard_normal((rows, WIDTHS[0]), dtype=np.float32) * scale
    noise = source.standard_normal((queries, WIDTHS[0]), dtype=np.float32) * scale
    return unit(moments), unit(moments[:queries] + noise)


def share(fall: float, width: int) -> float:
    """The part of the variance that the first `width` numbers have."""
    variance = np.arange(1, WIDTHS[0] + 1, dtype=float) ** -fall
    return float(variance[:width].sum() / variance.sum())


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def nearest(moments: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Rows (Q, K) of the moments that are nearest to each query, in no order."""
    found = [np.argpartition(-(moments @ query), K)[:K] for query in queries]
    return np.stack(found)


def recalls(moments: np.ndarray, queries: np.ndarray, widths: Sequence[int]) -> dict[int, float]:
    """Recall@10 of each width."""
    whole = nearest(moments, queries)
    made = {}
    for width in widths:
        some = nearest(unit(moments[:, :width]), unit(queries[:, :width]))
        hits = [np.isin(a, b).mean() for a, b in zip(whole, some, strict=True)]
        made[width] = round(float(np.mean(hits)), 4)
    return made


def of_library(folder: Path, texts: Path) -> None:
    library = Library(folder)
    model = library.model
    if not isinstance(model, Matryoshka) or model.dim != model.widths[0]:
        raise ConfigError(f"{folder} has no whole vectors of a model that may be cut; give another")
    moments = np.stack([moment.vector for moment in library.moments(vectors=True)])
    if len(moments) <= K:
        raise ConfigError(f"{folder} has {len(moments)} moments, and {K} of them are looked for")
    queries = library.embed_text([line for line in texts.read_text().splitlines() if line.strip()])
    for width, recall in recalls(moments, queries, model.widths).items():
        size = round(4e-6 * width * len(moments), 1)
        emit(
            f"vectors of {model.name} cut to {width}",
            model=model.name,
            width=width,
            recall_at_10=recall,
            vectors_mb=size,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--library", type=Path)
    parser.add_argument("--texts", type=Path, help="queries, one a line; with --library")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=200)
    given = parser.parse_args()
    if given.library is not None:
        if given.texts is None:
            parser.error("--library needs --texts, a file of queries")
        of_library(given.library, given.texts)
        return
    for fall in FALLS:
        made = recalls(*drawn(fall, given.rows, given.queries), WIDTHS)
        for width, recall in made.items():
            size = round(4e-6 * width * given.rows, 1)
            known = {"variance": round(share(fall, width), 3), "recall_at_10": recall}
            what = f"drawn vectors cut to {width}, fall {fall:g}"
            emit(what, fall=fall, width=width, **known, vectors_mb=size)


if __name__ == "__main__":
    main()
