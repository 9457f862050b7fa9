"""Keeps a library fresh: brings it up to date whenever files below some folders change.

Notices come from the system (inotify, FSEvents, ReadDirectoryChangesW), or by looking again and
again. They say only when to look: what is new is found as by `index`, so a notice that was lost
costs nothing once the next one comes, and what changed while nobody watched is found at the start.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import watchfiles

from reeltune.errors import ConfigError, ReeltuneError, in_short
from reeltune.media.paths import Paths, each_of
from reeltune.search._places import is_below, place_of
from reeltune.search.library import Library
from reeltune.search.report import Report
from reeltune.storage.fetched import is_in_store
from reeltune.storage.home import from_home

SETTLED = 3.0  # s without a change, after which a file is taken to be complete
PATIENCE = 60.0  # s of changes without end, after which is looked all the same
AGAIN = 10.0  # s until the next attempt after one that failed
BEAT = 500  # ms between looks at whether the folders are there
Identity = tuple[int, int]  # device and number of a folder, which another one in its place has not


@dataclass(frozen=True)
class Missing:
    """Folders that are not there now; what the library has of them stays."""

    paths: tuple[str, ...]


@dataclass(frozen=True)
class Trouble:
    """Why the library could not be brought up to date, in one line; it is tried again."""

    reason: str


News = Report | Missing | Trouble


@dataclass
class Watcher:
    """Watches paths, and tells of every run and what keeps it from one.

    Files that are gone are taken out, as by `prune="gone"`. `settled` is how many seconds a file
    must not have changed for. With `polls`, files are looked at again and again, for drives of
    which the system gives no notice, such as those of a network.
    """

    library: Library
    paths: Paths
    told: Callable[[News], None]
    stop: threading.Event = field(default_factory=threading.Event)
    settled: float = SETTLED
    polls: bool = False
    _due: float = 0.0  # when to look next, by the monotonic clock
    _since: float = math.inf  # when the first change came that was not looked at yet
    _missing: tuple[str, ...] = ()

    def run(self) -> None:
        """Watch until `stop` is set; raises KeyboardInterrupt on Ctrl-C."""
        for path in filter(is_in_store, each_of(self.paths)):
            raise ConfigError(
                f"{path} is in an object store, which gives no notice of changes; run reeltune "
                "index again and again instead, as by cron"
            )
        while not self.stop.is_set():
            there = self._there()
            self._due, self._since = 0.0, math.inf
            for changed in self._notices([*there]):
                if self._there() != there:
                    break  # a drive went or came, and notices of it with it
                self._note(changed)
                if time.monotonic() >= self._due:
                    self._look([*there])

    def _there(self) -> dict[str, Identity]:
        """The paths that are there, each with what identifies it; tells which are not."""
        found, missing = dict[str, Identity](), list[str]()
        for path in each_of(self.paths):
            try:
                status = from_home(path).stat()
                found[path] = status.st_dev, status.st_ino
            except OSError:
                missing.append(path)
        if tuple(missing) != self._missing:
            self._missing = tuple(missing)
            self.told(Missing(self._missing))
        return found

    def _notices(self, there: Sequence[str]) -> Iterator[bool]:
        """Whether something changed, again and again; notices come from before the first on."""
        if not there:
            while not self.stop.wait(BEAT / 1000):
                yield False
            return
        try:
            for changes in watchfiles.watch(
                *(from_home(path) for path in there),
                watch_filter=self._counts,
                stop_event=self.stop,
                rust_timeout=BEAT,
                yield_on_timeout=True,
                force_polling=self.polls,
                ignore_permission_denied=True,
            ):
                yield bool(changes)
        except OSError as error:  # such as of a folder that went a moment ago
            self.told(Trouble(f"the folders cannot be watched ({in_short(error)})"))
            self.stop.wait(1.0)

    def _counts(self, change: watchfiles.Change, path: str) -> bool:
        """Whether a change may concern a video: those in the library itself come from here."""
        return not is_below(path, place_of(str(self.library.folder)))

    def _note(self, changed: bool) -> None:
        """After a change, look once all is quiet, or changes have come for long."""
        if changed:
            now = time.monotonic()
            self._since = min(self._since, now)
            self._due = min(now + self.settled, self._since + PATIENCE)

    def _look(self, there: Sequence[str]) -> None:
        self._due, self._since = math.inf, math.inf
        if not there:
            return
        try:
            report = self.library.index(there, prune="gone", settled=self.settled)
        except (ReeltuneError, OSError) as error:
            self._due = time.monotonic() + AGAIN
            self.told(Trouble(str(error)))
            return
        if report.interrupted:
            raise KeyboardInterrupt
        if report.waiting:
            self._due = time.monotonic() + self.settled
        self.told(report)
