"""How much longer does a query take where a library has words?

    python benchmarks/bench_words.py --rows 100000 --phrases 30000

Moments are those of `bench_query.py`. Phrases are drawn from Zipf's law over so many words as a
library has; queries are four words of a phrase and single words, each with the phrase's vector and
noise. A query without words and the same one with them are answered in turn, so that noise of the
machine falls on both; encoding the query is in neither.
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
from _moments import PER_VIDEO, World, manifest, unit
from reeltune.search._confidence import confidence
from reeltune.search.channels.channel import Told, Words
from reeltune.search.channels.question import Question
from reeltune.search.query import Ask, answer
from reeltune.search.script import Script
from reeltune.search.store import texts
from reeltune.search.store.dataset import Table
from reeltune.search.store.gallery import Gallery
from reeltune.search.store.schema import schema
from reeltune.types import Channel, Phrase

QUICK = ["--rows", "20000", "--phrases", "5000", "--queries", "20"]
FIGURES = {
    "*/processor_p50_ms": ("lower", "milliseconds of the processor at the median"),
}

K, KINDS, LONG, PER_FILE = 10, 20_000, 9, 40
ALL: tuple[Channel, ...] = ("seen", "said", "shown")


def write_phrases(folder: Path, count: int, rng: np.random.Generator) -> list[str]:
    """Phrases of 2 s, one after the other, in the first files; half of these are shown."""
    share = 1 / np.arange(1, KINDS + 1)
    drawn = rng.choice(KINDS, (count, LONG), p=share / share.sum())
    letters = rng.choice(list("aabcdeeefghiiklmnoooprrsstttuvwy"), (KINDS, 9))
    spelt = ["".join(row[: rng.integers(3, 10)]) for row in letters]
    lines = [" ".join(spelt[word] for word in row) for row in drawn]
    made = []
    for first in range(0, count, PER_FILE):
        some = lines[first : first + PER_FILE]
        spoken = [Phrase(start=2.0 * i, end=2.0 * i + 2, text=one) for i, one in enumerate(some)]
        video = f"{first // PER_FILE:08x}"
        channel: Words = "said" if first // PER_FILE % 2 else "shown"
        made.append(
            texts.Texts(
                video=video,
                channel=channel,
                unit=video + channel,
                told=Told(phrases=spoken, source="speech"),
            )
        )
    texts.write(folder, made, unit(rng.standard_normal((count, texts.WIDTH))))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--phrases", type=int, default=30_000)
    parser.add_argument("--queries", type=int, default=40)
    chosen = parser.parse_args()
    if chosen.phrases > chosen.rows // PER_VIDEO * PER_FILE:
        parser.error("there are too few moments for so many phrases")
    world, rng = World(chosen.rows, chosen.dim), np.random.default_rng(1)
    with TemporaryDirectory() as name:
        batches = pa.RecordBatchReader.from_batches(schema(manifest(world.dim)), world.batches())
        lance.write_dataset(batches, f"{name}/moments.lance")
        lines = write_phrases(Path(name), chosen.phrases, rng)
        gallery, table = (
            Gallery.read(Table(lance.dataset(f"{name}/moments.lance"))),
            texts.open_texts(Path(name)),
        )
        if table is None:
            raise SystemExit("no phrase was written")
        start = time.perf_counter()
        script = Script.read(table, gallery)
        opened = time.perf_counter() - start
        chance = partial(confidence, usual=gallery.usual, kind="text")
        vectors = world.around(world.texts, chosen.queries, spread=0.3)
        times: dict[str, list[float]] = {"seen": [], "four words": [], "one word": []}
        spent: dict[str, list[float]] = {kind: [] for kind in times}
        for query in vectors:
            words = lines[rng.integers(len(lines))].split()[2:6]
            for kind, asked in (("seen", []), ("four words", words), ("one word", words[:1])):
                question = Question(
                    asked, [], unit(rng.standard_normal(texts.WIDTH)), dict.fromkeys(asked, 3000)
                )
                start, begun = time.perf_counter(), time.process_time()
                held = script.hold([(1.0, question)], ALL, 0.1, 0.0) if asked else None
                answer(gallery, query, Ask(k=K), chance, words=held)
                times[kind].append(1000 * (time.perf_counter() - start))
                spent[kind].append(1000 * (time.process_time() - begun))
        figures = {
            kind: {
                "p50_ms": round(float(np.median(each[3:])), 1),
                "processor_p50_ms": round(float(np.median(spent[kind][3:])), 1),
                "p99_ms": round(float(np.percentile(each[3:], 99)), 1),
            }
            for kind, each in times.items()
        }
        emit(
            "How much longer does a query take where a library has words?",
            rows=chosen.rows,
            phrases=chosen.phrases,
            open_s=round(opened, 2),
            **figures,
        )


if __name__ == "__main__":
    main()
