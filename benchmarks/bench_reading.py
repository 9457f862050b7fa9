"""How well, how exactly in time and at what cost is text in pictures read?

    python benchmarks/bench_reading.py [--clips FOLDER]

Written clips: slides in three fonts, of letters of several heights, and lines over moving
pictures, encoded as h264. A text is right in time where it begins and ends within 2 s; the errors
of letters are edits by letters of all texts, each beside the phrases shown at its time. Costs are
processor seconds of one thread: `reading` is the indexing process, `decoding` the sandboxed one. A
moment is one of those into which a library cuts a clip. With `--clips`, real clips are read too.
"""

import argparse
import random
import re
import resource
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from _line import emit
from reeltune.cli.written_clip import FILES, Slide, write_slides
from reeltune.errors import ReeltuneError
from reeltune.media.decoder import Decoder
from reeltune.search.channels._strokes import has_strokes, in_grey
from reeltune.search.channels.channel import Told
from reeltune.search.channels.shown import LONGEST, SAMPLING, Shown
from reeltune.search.shots import segments, signature
from reeltune.types import Pixels

RUNS = [["--clips", "../shared/data/clips"]]

SIZE = (1280, 720)
WORDS = re.findall(
    r"\w+",
    """
    harbour quarterly result office seven boat sold crane repair northern winter market garden
    violin teacher planet river engine carpet lemon bicycle museum thunder basket kitchen station
    penguin ladder mirror candle bridge forest island ticket pepper rocket blanket window copper
    """,
)
KINDS = {"slides": (24, 32, 48), "subtitles": (36, 48), "small": (18, 20)}  # heights in pixels


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--count", type=int, default=10, help="written clips of each font")
    given = parser.parse_args()
    shown = Shown()
    with tempfile.TemporaryDirectory() as folder:
        warm(shown, Path(folder))
        for kind, heights in KINDS.items():
            emit(f"reading of {kind}", **written(shown, Path(folder), kind, heights, given.count))
    if given.clips:
        emit("reading of real clips", **real(shown, given.clips))
    shown.close()


def warm(shown: Shown, folder: Path) -> None:
    """Open the networks, which is not counted."""
    shown.tell(write_slides(folder / "warm.mp4", [Slide(lines=("warm",), seconds=1.0)]), ignore)


def ignore(share: float) -> None:
    """Progress is not shown."""


def written(
    shown: Shown, folder: Path, kind: str, heights: Sequence[int], count: int
) -> dict[str, object]:
    """Figures over clips in which texts and pauses take turns, about 3 s each."""
    draw, found = random.Random(kind), Figures()
    for font in FILES:
        for number in range(count):
            slides = list(turns(draw, kind, font, draw.choice(heights)))
            path = write_slides(folder / f"{kind}-{font}-{number}.mp4", slides, SIZE)
            found.add(slides, *timed(shown, path))
    return found.summary()


def turns(draw: random.Random, kind: str, font: str, height: int) -> Iterator[Slide]:
    """Four texts with pauses between them; behind them plain white or moving waves."""
    behind = () if kind == "slides" else waves(draw)
    for _ in range(4):
        rows = 1 if kind == "small" else draw.randint(1, 3) if kind == "slides" else 2
        lines = tuple(" ".join(draw.choices(WORDS, k=draw.randint(2, 4))) for _ in range(rows))
        for text, seconds in ((lines, 3.4), ((), 2.8)):
            yield Slide(lines=text, seconds=seconds, height=height, font=font, behind=behind)  # type: ignore[arg-type]


def waves(draw: random.Random) -> tuple[np.ndarray, ...]:
    """Fifteen pictures of waves that move, with colours of their own."""
    down, right = np.mgrid[:180, :320]
    phase = [draw.uniform(0, 6) for _ in range(3)]
    found = []
    for step in range(15):
        place = (right + 9 * step) / 23 + down / 31
        found.append(np.stack([120 + 90 * np.sin(place + by) for by in phase], axis=-1))
    return tuple(picture.astype(np.uint8) for picture in found)


def timed(shown: Shown, path: Path) -> tuple[Told, float]:
    """What is read in a file and the seconds of this process that it took."""
    begun = time.process_time()
    return shown.tell(path, ignore), time.process_time() - begun


class Figures:
    """Sums over clips."""

    def __init__(self) -> None:
        self.edits = self.letters = self.exact = self.in_time = self.texts = self.wrong = 0
        self.late: list[float] = []
        self.cost = 0.0

    def add(self, slides: Sequence[Slide], told: Told, cost: float) -> None:
        """Compare what was told with what was written."""
        at = 0.0
        used: set[int] = set()
        for slide in slides:
            until = at + slide.seconds
            if slide.lines:
                self.compare(" ".join(slide.lines), at, until, told, used)
            at = until
        self.wrong += len(told.phrases) - len(used)
        self.cost += cost

    def compare(self, text: str, start: float, end: float, told: Told, used: set[int]) -> None:
        """Count one text: the phrases whose middle lies within its time stand beside it."""
        beside = [
            number
            for number, one in enumerate(told.phrases)
            if start <= (one.start + one.end) / 2 <= end and number not in used
        ]
        used.update(beside)
        phrases = [told.phrases[number] for number in beside]
        self.texts += 1
        self.letters += len(text)
        self.edits += edits(text, " ".join(one.text for one in phrases))
        self.exact += any(text in one.text for one in phrases)
        if phrases:
            late = [
                min(one.start for one in phrases) - start,
                max(one.end for one in phrases) - end,
            ]
            self.late += map(abs, late)
            self.in_time += max(map(abs, late)) <= 2.0

    def summary(self) -> dict[str, object]:
        """What is printed."""
        return {
            "texts": self.texts,
            "character_error_rate": round(self.edits / self.letters, 4),
            "exact": round(self.exact / self.texts, 3),
            "within_2_s": round(self.in_time / self.texts, 3),
            "mean_time_error_s": round(float(np.mean(self.late)), 2),
            "phrases_of_nothing": self.wrong,
            "reading_s_a_text": round(self.cost / self.texts, 3),
        }


def real(shown: Shown, folder: Path) -> dict[str, object]:
    """Cost on real clips with and without text, and how often frames pass the cheap look."""
    sums = {True: Cost(), False: Cost()}
    looks: list[bool] = []
    for path in sorted(folder.rglob("*.*")):
        try:
            told, cost = timed(shown, path)
            count = moments(path)
            looks += passed(path)
        except ReeltuneError:
            continue
        sums[bool(told.phrases)].add(cost, count)
    return {
        "clips_with_text": sums[True].summary(),
        "clips_without_text": sums[False].summary(),
        "frames_with_strokes": round(float(np.mean(looks)), 3),
        "decoding_s_a_moment": round(
            decoding(folder) / (sums[True].moments + sums[False].moments), 3
        ),
    }


class Cost:
    """Processor seconds of some clips."""

    def __init__(self) -> None:
        self.seconds, self.moments, self.clips = 0.0, 0, 0

    def add(self, seconds: float, moments: int) -> None:
        """Count one clip."""
        self.seconds, self.moments, self.clips = (
            self.seconds + seconds,
            self.moments + moments,
            self.clips + 1,
        )

    def summary(self) -> dict[str, object]:
        """What is printed."""
        a_moment = round(self.seconds / max(self.moments, 1), 3)
        return {"clips": self.clips, "moments": self.moments, "reading_s_a_moment": a_moment}


def moments(path: Path) -> int:
    """How many moments a library cuts a clip into."""
    with Decoder(Pixels(size=32)) as decoder, decoder.open(path) as reading:
        frames = [(frame.time, signature(frame.pixels)) for frame in reading]
        times, signatures = zip(*frames, strict=True)
        return len(segments(times, signatures, reading.until))


def passed(path: Path) -> list[bool]:
    """Whether each frame that is read passes the cheap look."""
    with Decoder(Pixels(size=LONGEST), SAMPLING) as decoder, decoder.views(path) as views:
        return [has_strokes(in_grey(view.pixels)) for view in views]


def decoding(folder: Path) -> float:
    """Seconds of the processes that decode all clips once."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with Decoder(Pixels(size=LONGEST), SAMPLING) as decoder:
        for path in folder.rglob("*.*"):
            with suppress(ReeltuneError), decoder.views(path) as views:
                deque(views, maxlen=0)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def edits(wanted: str, got: str) -> int:
    """Levenshtein distance of two texts."""
    row = list(range(len(got) + 1))
    for i, a in enumerate(wanted, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(got, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


if __name__ == "__main__":
    main()
