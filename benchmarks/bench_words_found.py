"""Is a phrase of four words that is said or shown the first answer of a library, at its time?

    python benchmarks/bench_words_found.py [--clips ../shared/data/clips]

Fifty clips of our own go the whole way: written, indexed with `--hear --read`, and searched by
four words in a row of one of their two sentences. Half are spoken by espeak-ng in three voices,
half show slides in three fonts. Right is a first answer in the clip that begins within 2 s of the
sentence, or of the slide. `times_of_seen` is the processor time of indexing with both channels over
that of seeing alone, on the same clips.
"""

import argparse
import json
import random
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from _line import emit
from _own_speech import SENTENCES, own_speech, words
from reeltune import Library
from reeltune.cli.written_clip import FILES, Slide, write_slides
from reeltune.evaluation.bootstrap import bounds, resampled_means, sums_by_group
from reeltune.search.ingest import Choice, index
from reeltune.types import Channel

RUNS = [[], ["--clips", "../shared/data/clips"]]
FIGURES = {
    "said_right": ("higher", "phrases found of 25"),
    "shown_right": ("higher", "phrases found of 25"),
    "times_of_seen": ("lower", "beside indexing by what is seen alone, time"),
    "gained": ("higher", "points of R@1 by words"),
}

FEW, NEAR, SLIDE = 4, 2.0, 4.0  # words of a query; s; s that a slide stays
WORDS = Choice(hear=True, read=True)


@dataclass(frozen=True)
class Asked:
    """A query with where its words are."""

    channel: str
    query: str
    path: Path
    start: float  # s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path)
    clips = parser.parse_args().clips
    generated()
    if clips:
        captioned(clips)


def generated() -> None:
    """Fifty clips of our own."""
    with tempfile.TemporaryDirectory() as name:
        folder, draw = Path(name), random.Random(0)
        (folder / "clips").mkdir()
        asked = [*spoken(folder / "clips", draw), *slides(folder / "clips", draw)]
        seen = spent(lambda: index([folder / "clips"], folder / "seen"))
        both = spent(lambda: index([folder / "clips"], folder / "both", WORDS))
        library = Library(folder / "both")
        right = {"said": 0, "shown": 0}
        for one in asked:
            hit = library.search(one.query, k=1)[0]
            good = hit.location == str(one.path.resolve()) and abs(hit.start - one.start) <= NEAR
            right[one.channel] += good
        emit(
            "words found in fifty clips",
            **{f"{channel}_right": count for channel, count in right.items()},
            of_each=len(asked) // 2,
            times_of_seen=round(both / seen, 2),
        )


def captioned(clips: Path) -> None:
    """Recall of the clip of each caption, and what words gain, by resampling whole clips."""
    captions: dict[str, list[str]] = json.loads((clips / "captions.json").read_text())
    queries = [(path, text) for path, texts in captions.items() for text in texts]
    groups = np.array([list(captions).index(path) for path, _ in queries])
    with tempfile.TemporaryDirectory() as folder:
        report = index([clips / path for path in captions], folder, WORDS)
        library = Library(folder)
        channels: list[tuple[Channel, ...]] = [("seen",), ("seen", "said", "shown")]
        ranks = np.array([[rank(library, clips, q, one) for one in channels] for q in queries])
        worded = {phrase.location for phrase in library.texts()}
    first, five = 100.0 * (ranks == 1), 100.0 * (ranks <= 5)
    gain = (first[:, 1] - first[:, 0])[:, None]
    means = resampled_means(*sums_by_group(gain, groups), np.random.default_rng(0))
    with_words = np.array([str((clips / path).resolve()) in worded for path, _ in queries])
    emit(
        "captions of real clips, by what is seen and by all channels",
        **{"R@1": first.mean(0).round(1).tolist(), "R@5": five.mean(0).round(1).tolist()},
        gained=round(float(gain.mean()), 1),
        gained_interval=[round(v, 1) for v in bounds(means)[0]],
        clips_with_words=len(worded),
        without_words=first[~with_words].mean(0).round(1).tolist(),
        phrases=report.phrases,
    )


def rank(
    library: Library, clips: Path, query: tuple[str, str], channels: tuple[Channel, ...]
) -> int:
    """At which place the clip of a caption stands among the first answers of all clips."""
    path, text = query
    hits = library.search(text, k=40, channels=channels)
    places = list(dict.fromkeys(hit.location for hit in hits))
    wanted = str((clips / path).resolve())
    return places.index(wanted) + 1 if wanted in places else len(places) + 1


def spoken(folder: Path, draw: random.Random) -> list[Asked]:
    """Clips of sentences in three voices, one of which has the words of a query."""
    return [
        Asked("said", some_words(clip.text, draw), clip.path, clip.start)
        for clip in own_speech(folder, 25)
    ]


def slides(folder: Path, draw: random.Random) -> list[Asked]:
    """Clips of two slides in three fonts."""
    texts, asked = SENTENCES[25:], list[Asked]()
    for number, text in enumerate(texts):
        font = list(FILES)[number % len(FILES)]
        other = texts[(number + 7) % len(texts)]
        shown = [Slide(lines=lines(t), seconds=SLIDE, font=font) for t in (other, text)]
        path = write_slides(folder / f"slides-{number}.mp4", shown)
        asked.append(Asked("shown", some_words(text, draw), path, SLIDE))
    return asked


def lines(text: str) -> tuple[str, ...]:
    """A text in lines of four words."""
    parts = text.split()
    return tuple(" ".join(parts[i : i + FEW]) for i in range(0, len(parts), FEW))


def some_words(text: str, draw: random.Random) -> str:
    """Four words in a row of a text."""
    found = words(text)
    at = draw.randrange(len(found) - FEW + 1)
    return " ".join(found[at : at + FEW])


def spent(work: Callable[[], object]) -> float:
    """Processor seconds of some work and of the processes that it began and ended."""
    before = used()
    work()
    return used() - before


def used() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    main()
