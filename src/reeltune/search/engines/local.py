"""One indexing run, which turns events of the readers into commits and a report."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from reeltune.media.decoder import Frame
from reeltune.media.files import Candidate
from reeltune.media.progress import Progress
from reeltune.search._gather import Gatherer
from reeltune.search._known import Judged, Verdict
from reeltune.search.engines.local_readers import (
    AllJudged,
    Broken,
    Ended,
    Event,
    FirstNew,
    Frames,
    Growing,
    Made,
    Opened,
    Readers,
    Settled,
)
from reeltune.search.report import Failed, Indexed, Report, reason_of
from reeltune.search.store import table as _table
from reeltune.search.store.manifest import Manifest
from reeltune.search.store.schema import Moments, VideoFile, to_table
from reeltune.storage.place import Place

COMMIT_SECONDS = 1.0  # work that a killed run may have to repeat, beside the files in hand


@dataclass
class Meter:
    """Turns frames into bytes done, so that a bar moves within a long file too."""

    progress: Progress
    seen: dict[str, int] = field(default_factory=dict)  # path -> bytes told so far

    def frames(self, file: VideoFile, frames: Sequence[Frame], duration: float) -> None:
        """Tell how far a file is, by the time of its latest frame; `duration` is in s."""
        if frames and duration > 0:
            self.share(file.path, file.size, frames[-1].time / duration)

    def share(self, path: str, size: int, share: float) -> None:
        """Tell how much of a file of so many bytes is done, from 0 to 1."""
        self._tell(path, int(min(max(share, 0.0), 1.0) * size))

    def done(self, path: str, size: int) -> None:
        """Tell that a file is done, whatever became of it."""
        self._tell(path, size)
        self.seen.pop(path, None)

    def _tell(self, path: str, until: int) -> None:
        before = self.seen.get(path, 0)
        if until >= before:
            self.seen[path] = until
            self.progress.advance(path, until - before)


@dataclass
class Run:
    """State of a run. `handle` takes one event; `store` commits what is complete."""

    folder: Place
    manifest: Manifest
    gatherer: Gatherer
    meter: Meter
    report: Report
    durations: dict[VideoFile, float] = field(default_factory=dict)
    complete: list[Moments] = field(default_factory=list)
    placed: dict[str, Candidate] = field(default_factory=dict)  # content -> its file now
    stored_at: float = field(default_factory=time.monotonic)

    def all(self, readers: Readers) -> None:
        """Handle every event; Ctrl-C keeps the files all of whose frames have come."""
        try:
            with readers as events:
                for event in events:
                    self.handle(event)
                    self._take(self.gatherer.ready())
                    if time.monotonic() - self.stored_at >= COMMIT_SECONDS:
                        self.store()
                self._take(self.gatherer.ready(flush=True))
        except KeyboardInterrupt:
            self.report.interrupted = True
            self._take(self.gatherer.last())
        self.store()

    def handle(self, event: Event) -> None:
        """Take one event of a file: what became of it, its frames, or its end."""
        match event:
            case Settled(judged):
                self._settle(judged)
                self.meter.done(judged.file.path, judged.file.size)
            case AllJudged(displaced, placed):
                _table.remove(self.folder, displaced)
                _table.place(self.folder, placed)
            case FirstNew():
                self.report.precision, self.report.said = self.gatherer.precision
            case Opened(file, info):
                self.durations[file] = info.duration
                self.gatherer.open(file, info)
            case Frames(file, frames):
                self.gatherer.add(file, frames)
                self.meter.frames(file, frames, self.durations[file])
            case Ended(file, note):
                self.gatherer.end(file, note)
                self.meter.done(file.path, file.size)
            case Made(candidate, outcome):
                self._take([outcome])
                self.meter.done(candidate.path, candidate.size)
            case Growing(candidate):
                self.gatherer.drop(candidate.location)
                self.report.waiting.append(candidate.path)
                self.meter.done(candidate.path, candidate.size)
            case Broken(candidate, reason):
                self.gatherer.drop(candidate.location)
                self.report.failed.append(Failed(candidate.path, reason))
                self.meter.done(candidate.path, candidate.size)

    def store(self) -> None:
        """Commit what was settled and the complete files, and only then count them as indexed."""
        _table.place(self.folder, self.placed)
        self.placed = {}
        complete, self.complete = self.complete, []  # first, so that Ctrl-C cannot store them twice
        rows, entries = [], []
        for done in complete:
            try:
                rows.append(to_table(done, self.manifest, time.time_ns() // 1000))
            except Exception as error:  # whatever it is, it costs this file alone
                self.report.failed.append(Failed(done.file.path, reason_of(error)))
                continue
            entries.append(Indexed(done.file.path, len(done.start), done.duration, done.note))
        _table.append(self.folder, rows)
        self.report.indexed.extend(entries)
        self.stored_at = time.monotonic()

    def _take(self, done: Iterable[Moments | Failed]) -> None:
        for one in done:
            if isinstance(one, Failed):
                self.report.failed.append(one)
            else:
                self.complete.append(one)

    def _settle(self, judged: Judged) -> None:
        lists = {
            Verdict.UNCHANGED: self.report.unchanged,
            Verdict.MOVED: self.report.moved,
            Verdict.COPY: self.report.copies,
        }
        lists[judged.verdict].append(judged.file.path)
        if judged.differs and judged.verdict is not Verdict.COPY and not judged.contested:
            self.placed[judged.video] = judged.file
