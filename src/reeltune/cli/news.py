"""Says what `watch` has done, and what keeps it from doing more, each thing once."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from reeltune.cli.terminal import say, say_raw
from reeltune.errors import counted
from reeltune.search.report import Report
from reeltune.search.watching import Missing, News, Trouble
from reeltune.storage.place import Place


@dataclass
class Teller:
    """Prints news as they come: lines for people, or a line of JSON each for scripts."""

    as_json: bool
    _failed: dict[str, str] = field(default_factory=dict)  # path -> reason, as said last
    _waiting: set[str] = field(default_factory=set)
    _missing: tuple[str, ...] = ()
    _trouble: str = ""

    def begin(self, paths: Sequence[str], library: Place) -> None:
        """Say what is watched."""
        if not self.as_json:
            say(f"{library} is kept fresh from {', '.join(paths)}; Ctrl-C ends that", err=True)

    def tell(self, news: News) -> None:
        """Say what is new."""
        if self.as_json:
            say_raw(json.dumps(_fields(news)), at_once=True)
            return
        match news:
            case Missing(paths):
                self._places(paths)
            case Trouble(reason):
                if reason != self._trouble:
                    say(("not now", "yellow"), f": {reason}")
                self._trouble = reason
            case report:
                self._report(report)

    def _report(self, report: Report) -> None:
        self._trouble = ""
        for done in report.indexed:
            partly = f"; {done.note}" if done.note else ""
            moments = counted(done.moments, "moment")
            say(f"indexed {done.path}: {moments} of {done.seconds:.1f} s{partly}")

        for what in ("moved", "copies", "removed"):
            for path in getattr(report, what):
                say(f"{'copy' if what == 'copies' else what} {path}")
        for path in report.waiting:
            if path not in self._waiting:
                say(f"waiting until {path} is complete")
        self._waiting = set(report.waiting)
        now = {one.path: one.reason for one in [*report.troubles, *report.kept]}
        for path, reason in now.items():
            if self._failed.get(path) != reason:
                say(("failed", "red"), f" {path}: {reason}")
        self._failed = now

    def _places(self, missing: tuple[str, ...]) -> None:
        for path in missing:
            if path not in self._missing:
                say(
                    ("gone", "yellow"),
                    f" {path}; what the library has of it stays, until it is back",
                )
        for path in self._missing:
            if path not in missing:
                say(f"back {path}")
        self._missing = missing


def _fields(news: News) -> dict[str, object]:
    match news:
        case Missing(paths):
            return {"missing": list(paths)}
        case Trouble(reason):
            return {"trouble": reason}
        case report:
            return report.as_dict()
