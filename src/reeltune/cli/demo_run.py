"""`reeltune demo`: index some videos, answer three queries, draw the answers on one sheet.

The sample clips are found by what is seen, said and shown; one's own by what is seen alone, which
takes less time.
"""

import io
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from reeltune.cli.output import why
from reeltune.cli.sample_clips import clips_with_words, sample_clips
from reeltune.cli.terminal import shown
from reeltune.errors import ConfigError, DataError
from reeltune.media.progress import Progress
from reeltune.models.speech.weights import PACKAGED, Weights
from reeltune.search.channels.shown import Shown
from reeltune.search.ingest import Choice, index
from reeltune.search.library import Library
from reeltune.search.query import may_match
from reeltune.search.report import Report
from reeltune.types import Hit

SAMPLE_QUERIES = (  # by what is seen, said and shown
    "a cartoon animal in a meadow",
    "the train to the mountains",
    "report of the bicycle club",
)
OWN_QUERIES = ("a person talking to the camera", "a landscape outdoors", "a crowd of people")
PER_QUERY, LINE = 4, 42  # moments; letters


@dataclass(frozen=True)
class Answer:
    """A query and what it found, best first."""

    query: str
    hits: list[Hit]


@dataclass(frozen=True)
class Outcome:
    """The results of the demo, and where they lie."""

    report: Report
    answers: list[Answer]
    library: Path
    sheet: Path
    missing: list[str]  # why a clip, or what is said or shown, takes no part


def run(videos: Sequence[str], folder: Path, progress: Progress | None = None) -> Outcome:
    """Index `videos`, or sample clips where none are named, and answer three queries."""
    queries = OWN_QUERIES if videos else SAMPLE_QUERIES
    choice, missing = Choice(prune="gone"), list[str]()
    if not videos:
        spoken = clips_with_words(sample_clips(folder / "clips"))
        hear, read = missing_for(partial(Weights, PACKAGED)), missing_for(Shown)
        choice = Choice(prune="gone", hear=not hear, read=not read)
        missing = [one for one in (spoken, hear, read) if one]
    paths = list(videos) or [str(folder / "clips")]
    place = folder / ("own.library" if videos else "sample.library")
    report = index(paths, place, choice, progress)
    if report.interrupted:
        raise KeyboardInterrupt
    if not report.used:
        first = "".join(f" (the first, {one.path}: {one.reason})" for one in report.failed[:1])
        raise DataError(f"no video of {', '.join(paths)} could be used{first}; give other videos")
    library = Library(place)
    answers = [Answer(query, library.search(query, k=PER_QUERY)) for query in queries]
    sheet = folder / "answers.png"
    contact_sheet(answers, library, sheet)
    return Outcome(report, answers, place, sheet, missing)


def missing_for(needed: Callable[[], object]) -> str:
    """What a channel of words needs and has not, with its remedy; empty where it has all."""
    try:
        needed()
    except ConfigError as error:
        return str(error)
    return ""


def contact_sheet(answers: Sequence[Answer], library: Library, path: Path) -> None:
    """One row a query, one picture a moment, with its file, its times and its reason: a score, and
    words where these were found."""
    figure = Figure(figsize=(3.2 * PER_QUERY, 2.9 * len(answers)), layout="constrained")
    for row, answer in zip(
        figure.subfigures(len(answers), 1, squeeze=False)[:, 0], answers, strict=True
    ):
        doubt = "" if may_match(answer.hits, answer.query) else " (nothing matches well)"
        row.suptitle(answer.query + doubt, parse_math=False)
        pictures = library.thumbnails([hit.id for hit in answer.hits])
        for axes in (panels := row.subplots(1, PER_QUERY)):
            axes.set_axis_off()
        for axes, hit in zip(panels, answer.hits, strict=False):
            axes.imshow(np.asarray(Image.open(io.BytesIO(pictures[hit.id])).convert("RGB")))
            times = f"{hit.start:.1f} to {hit.end:.1f} s, score {hit.score:.2f}"
            name = shown(Path(hit.path).name, isolate=False)
            axes.set_title(f"{name}\n{times}", fontsize=9, parse_math=False)
            reason = textwrap.fill(why(hit).plain, LINE)
            axes.text(
                0.5, -0.04, reason, ha="center", va="top", transform=axes.transAxes, fontsize=8
            )
    figure.savefig(path, dpi=110)
