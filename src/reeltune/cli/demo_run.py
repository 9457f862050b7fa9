"""`reeltune demo`: index some videos, answer three queries, draw the answers on one sheet.

The sample clips are found by what is seen, said and shown; one's own by what is seen alone, which
takes less time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from reeltune.cli.contact_sheet import Answer, draw_sheet
from reeltune.cli.sample_clips import clips_with_words, sample_clips
from reeltune.errors import ConfigError, DataError
from reeltune.media.progress import Progress
from reeltune.models.speech.weights import PACKAGED, Weights
from reeltune.search.channels.shown import Shown
from reeltune.search.ingest import Choice, index
from reeltune.search.library import Library
from reeltune.search.report import Report

SAMPLE_QUERIES = (  # by what is seen, said and shown
    "a cartoon animal in a meadow",
    "the train to the mountains",
    "report of the bicycle club",
)
OWN_QUERIES = ("a person talking to the camera", "a landscape outdoors", "a crowd of people")
PER_QUERY = 4  # moments


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
    draw_sheet(answers, library, sheet)
    return Outcome(report, answers, place, sheet, missing)


def missing_for(needed: Callable[[], object]) -> str:
    """What a channel of words needs and has not, with its remedy; empty where it has all."""
    try:
        needed()
    except ConfigError as error:
        return str(error)
    return ""
