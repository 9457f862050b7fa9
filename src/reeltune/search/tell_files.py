"""Finds the words of files, channel by channel, and stores them.

What one channel of one file holds is a unit of work. Texts are committed about every second, so a
run that is stopped has lost little, and the next one goes on with the files that have none by the
same models and settings.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from reeltune.errors import counted
from reeltune.models.opening.sentences import Sentences
from reeltune.records import Phrase
from reeltune.search._known import Stored
from reeltune.search.channels.channel import Teller, Told
from reeltune.search.channels.plain import plain
from reeltune.search.engines.local import COMMIT_SECONDS, Meter
from reeltune.search.engines.local_readers import has_changed
from reeltune.search.report import Failed, Report, Worded, reason_of
from reeltune.search.store import texts as _texts
from reeltune.search.store.table import open_table
from reeltune.storage.fetched import on_disk
from reeltune.storage.place import Place

MOST = 100_000  # phrases of one channel of a file
LONGEST = 1000  # characters of a phrase
ROUNDING = 1.0  # s by which a video may be longer than it says
WORK = {"said": "hearing", "shown": "reading"}  # for people


def tell_files(
    folder: Place, files: Sequence[Stored], tellers: Sequence[Teller], meter: Meter, report: Report
) -> None:
    """Store what channels of the files hold, where it was not yet told so, one after the other.

    A file whose channel cannot be told keeps its moments, and texts that it had, and is named in
    the report. Ctrl-C keeps the texts of the files that are complete, and is told in the report.
    """
    sentences = Sentences()
    for teller in tellers:
        if not report.interrupted:
            _tell_channel(files, _Pending(folder, teller, meter, report, sentences))


def _tell_channel(files: Sequence[Stored], pending: "_Pending") -> None:
    teller, meter = pending.teller, pending.meter
    try:
        wanted = list(pending.missing(files))
        if wanted:
            pending.lengths = _lengths(pending.folder)
            size = sum(one.size for one, _ in wanted)
            meter.progress.begin(len(wanted), size, WORK[teller.channel])
        for one, unit in wanted:
            pending.tell(one, unit)
            meter.done(one.path, one.size)
    except KeyboardInterrupt:
        pending.report.interrupted = True
    finally:
        teller.close()
    pending.store()


@dataclass
class _Pending:
    """Texts of a channel that wait for the next commit."""

    folder: Place
    teller: Teller
    meter: Meter
    report: Report
    sentences: Sentences
    complete: dict[str, _texts.Texts] = field(default_factory=dict)  # by path
    lengths: dict[str, float] = field(default_factory=dict)  # s, by content
    stored_at: float = field(default_factory=time.monotonic)

    def missing(self, files: Sequence[Stored]) -> list[tuple[Stored, str]]:
        """The files whose texts are not stored, or were told otherwise, each with its unit."""
        stored = _texts.units(self.folder, self.teller.channel)
        wanted = []
        for one in files:
            try:
                beside = self.teller.beside(Path(one.location))
            except Exception as error:  # whatever it is, it costs this file's words alone
                self._fail(one.path, error)
                continue
            told_by = (self.teller.channel, self.teller.fingerprint, beside)
            unit = _texts.unit_of(one.video, *told_by)
            if stored.get(one.video) != unit:
                wanted.append((one, unit))
        return wanted

    def tell(self, file: Stored, unit: str) -> None:
        """Find out what a file holds; whatever goes wrong costs its texts alone."""
        try:
            done = partial(self.meter.share, file.path, file.size)
            with on_disk(file.location) as path:
                told = self.teller.tell(path, done)
                told = sound(_within(told, self.lengths.get(file.video, 0.0)))
        except Exception as error:
            self._fail(file.path, error)
            return
        if has_changed(file):
            self.report.waiting.append(file.path)
            return
        channel = self.teller.channel
        self.complete[file.path] = _texts.Texts(
            video=file.video, channel=channel, unit=unit, told=told
        )
        if time.monotonic() - self.stored_at >= COMMIT_SECONDS:
            self.store()

    def store(self) -> None:
        """Commit the texts, all at once, and only then count them."""
        complete, self.complete = self.complete, {}  # first, so that Ctrl-C cannot store them twice
        units = list(complete.values())
        lines = [phrase.text for one in units for phrase in one.told.phrases]
        _texts.write(self.folder, units, self.sentences.vectors(lines))
        self.report.worded(self.teller.channel).extend(
            Worded(path, len(one.told.phrases), one.told.note) for path, one in complete.items()
        )
        self.stored_at = time.monotonic()

    def _fail(self, path: str, error: Exception) -> None:
        self.report.wordless(self.teller.channel).append(Failed(path, reason_of(error)))


def _lengths(folder: Place) -> dict[str, float]:
    """How long each video of a library is."""
    rows = open_table(folder).to_table(columns=["video", "duration"], filter="part = 0")
    return {row["video"]: row["duration"] for row in rows.to_pylist()}


def _within(told: Told, length: float) -> Told:
    """What is told, but of a file of subtitles nothing that begins after the end of the video,
    where nobody could look at it; a note says so. A length of 0 is not known."""
    if told.source != "sidecar" or length <= 0:
        return told
    kept = [one for one in told.phrases if one.start <= length + ROUNDING]
    late = len(told.phrases) - len(kept)
    said = f"{counted(late, 'subtitle')} after the end of the video left out" * (late > 0)
    return replace(told, phrases=kept, note="; ".join(filter(None, [told.note, said])))


def sound(told: Told) -> Told:
    """The texts as they can be stored: lines of letters that can be seen, none of them empty or too
    long, at times that are numbers, in their order; a note says what was left out."""
    timed = [one for one in told.phrases if math.isfinite(one.start) and math.isfinite(one.end)]
    texts = [plain(one.text) for one in timed]
    lines = [_line(one, text) for one, text in zip(timed, texts, strict=True)]
    phrases = sorted(filter(lambda one: one.text, lines), key=lambda one: (one.start, one.end))
    cut = sum(len(text) > LONGEST for text in texts)
    notes = [
        plain(told.note),
        f"phrases without a time: {len(told.phrases) - len(timed)}"
        * (len(timed) < len(told.phrases)),
        f"phrases cut to {LONGEST:,} characters: {cut}" * (cut > 0),
        f"phrases after the first {MOST:,} were left out" * (len(phrases) > MOST),
    ]
    return replace(
        told,
        phrases=phrases[:MOST],
        source=plain(told.source),
        language=plain(told.language),
        note="; ".join(filter(None, notes)),
    )


def _line(phrase: Phrase, text: str) -> Phrase:
    start = max(phrase.start, 0.0)
    return Phrase(start=start, end=max(phrase.end, start), text=text[:LONGEST].strip())
