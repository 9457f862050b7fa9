"""Small real libraries of vectors with words beside them, for the tests of what is said."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from moment_tables import DIM, moments, rows_of, shots, unit

from reeltune.search.channels.channel import Told, Words
from reeltune.search.channels.question import Question
from reeltune.search.script import Script
from reeltune.search.store import texts
from reeltune.search.store.dataset import Table
from reeltune.search.store.gallery import Gallery
from reeltune.types import Phrase

Line = tuple[float, float, str]  # from, to and what is said


def vector(text: str) -> np.ndarray:
    """A stand-in for the sentence encoder: a vector that depends on the text alone."""
    seed = int.from_bytes(text.encode()[:16].ljust(16, b"."), "little") % (1 << 32)
    return unit(np.random.default_rng(seed), texts.WIDTH)


def ranks(words: Sequence[str]) -> list[int]:
    """Short words are common."""
    return [20 if len(word) < 4 else 3000 for word in words]


def question(text: str) -> Question:
    return Question.of(text, vector(text), ranks)


def told(folder: Path, channel: Words, lines: dict[str, list[Line]]) -> None:
    """Write what videos say or show beside a table of moments."""
    made, found = [], []
    for video, each in lines.items():
        phrases = [Phrase(start=a, end=b, text=text) for a, b, text in each]
        unit_of_work = f"{video}-{channel}"
        made.append(
            texts.Texts(
                video=video,
                channel=channel,
                unit=unit_of_work,
                told=Told(phrases=phrases, source="speech"),
            )
        )
        found += [vector(phrase.text) for phrase in phrases]
    every = np.stack(found) if found else np.empty((0, texts.WIDTH), np.float32)
    texts.write(folder, made, every)


def galleries(folder: Path, videos: int, seed: int = 0) -> Gallery:
    """Videos `v0`, `v1`, ... of three shots of 4 s each."""
    rng = np.random.default_rng(seed)
    files = [shots(moments(f"v{i}", unit(rng, 3, DIM))) for i in range(videos)]
    return Gallery.read(Table.create(folder / "moments.lance", rows_of(*files)))


def script(folder: Path, gallery: Gallery) -> Script:
    table = texts.open_texts(folder)
    if table is None:
        raise ValueError("nothing was written")
    return Script.read(table, gallery)
