"""`reeltune demo`: index some videos, answer three queries, draw the answers on one sheet."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from reeltune.cli.sample_clips import sample_clips
from reeltune.cli.terminal import shown
from reeltune.errors import DataError
from reeltune.media.progress import Progress
from reeltune.search.ingest import Choice, index
from reeltune.search.library import Library
from reeltune.search.query import may_match
from reeltune.search.report import Report
from reeltune.types import Hit

SAMPLE_QUERIES = (
    "a cartoon animal in a meadow",
    "a bicycle parked in the street",
    "a man with a bow tie",
)
OWN_QUERIES = ("a person talking to the camera", "a landscape outdoors", "a crowd of people")
PER_QUERY = 4


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


def run(videos: Sequence[str], folder: Path, progress: Progress | None = None) -> Outcome:
    """Index `videos`, or sample clips where none are named, and answer three queries."""
    queries = OWN_QUERIES if videos else SAMPLE_QUERIES
    paths = list(videos) or [str(sample_clips(folder / "clips"))]
    place = folder / ("own.library" if videos else "sample.library")
    report = index(paths, place, Choice(prune="gone"), progress)
    if report.interrupted:
        raise KeyboardInterrupt
    if not report.used:
        first = "".join(f" (the first, {one.path}: {one.reason})" for one in report.failed[:1])
        raise DataError(f"no video of {', '.join(paths)} could be used{first}; give other videos")
    library = Library(place)
    answers = [Answer(query, library.search(query, k=PER_QUERY)) for query in queries]
    sheet = folder / "answers.png"
    contact_sheet(answers, library, sheet)
    return Outcome(report, answers, place, sheet)


def contact_sheet(answers: Sequence[Answer], library: Library, path: Path) -> None:
    """One row a query, one picture a moment, with its file, its times and its score."""
    figure = Figure(figsize=(3.2 * PER_QUERY, 2.7 * len(answers)), layout="constrained")
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
    figure.savefig(path, dpi=110)
